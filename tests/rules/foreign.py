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

# Alerts that no fault of the fault run must raise, and why not.
ONLY_PROMTOOL = {
    "ApiLatencyBudgetBurnsFast": "how slow this machine is must not decide a test; some faults may raise it",
    "ApiLatencyBudgetBurnsSlowly": "likewise",
    "AuditDiffers": "tests/integration loses counts for good and makes topics anew; the metrics are looked at there",
    "CertificateExpiresSoon": "the mesh of the run speaks without TLS",
    "ConsumerWithoutPartitions": "wants more consumers than partitions; Kafka stopped may raise it",
    "DiskNearlyFull": "kubelet's metrics: no kubelet here",
    "KafkaUnderReplicated": "Strimzi's metrics: one broker here",
    "MemoryNearLimit": "kubelet's metrics: no kubelet here",
}
