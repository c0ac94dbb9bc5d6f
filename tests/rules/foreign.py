# SPDX-License-Identifier: Apache-2.0
"""Metrics in the rules that our programs do not export, and who does."""

METRICS = {
    "up": "Prometheus itself, of each target",
    "kubelet_volume_stats_available_bytes": "kubelet: only it sees the disks of the volumes",
    "kubelet_volume_stats_capacity_bytes": "kubelet: likewise",
    "container_memory_working_set_bytes": "kubelet (cAdvisor): what the kernel compares with the container's limit",
    "container_spec_memory_limit_bytes": "kubelet (cAdvisor): that limit",
    "kafka_server_replicamanager_underreplicatedpartitions": "Strimzi: of the brokers, by its metricsConfig",
}

# Raised beside the fault run, by test_kafka_cluster.py.
OF_A_CLUSTER = "KafkaUnderReplicated"

# Likewise, by test_kubelet.py.
OF_A_NODE = {"DiskNearlyFull", "MemoryNearLimit"}
