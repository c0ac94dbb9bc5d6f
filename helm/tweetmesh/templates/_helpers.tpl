{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* The first part of the names of objects. */}}
{{- define "tweetmesh.name" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that choose the pods of a part; never changed, selectors are immutable. Call: (list $ "api") */}}
{{- define "tweetmesh.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Values.nameOverride | default $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. Call: (list $ "api") */}}
{{- define "tweetmesh.labels" -}}
{{- $root := index . 0 -}}
{{ include "tweetmesh.selector" . }}
app.kubernetes.io/version: {{ $root.Values.image.tag | default $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: tweetmesh
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of what Strimzi makes pods from: it hands labels on, so these must not make Kafka's pods look like ours. */}}
{{- define "tweetmesh.kafkaLabels" -}}
{{- $labels := include "tweetmesh.labels" (list . "kafka") | fromYaml -}}
{{- omit $labels "app.kubernetes.io/part-of" "app.kubernetes.io/component" | toYaml -}}
{{- end -}}

{{/* The name, labels and namespace of an object. Call: (list $ "api" "suffix of its name") */}}
{{- define "tweetmesh.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "tweetmesh.name" $root }}{{ with index . 2 }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "tweetmesh.labels" (list $root (index . 1)) | nindent 2 }}
{{- end -}}

{{/* An image. Call: (list $ "api") */}}
{{- define "tweetmesh.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- $name := printf "%s/%s" $image.repository (index . 1) -}}
{{- with index $image.digests (index . 1) -}}
{{- printf "%s@%s" $name . -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default (index $ 0).Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* {"tweets.json": "text", …} as YAML: what comes with the chart, and the user's. */}}
{{- define "tweetmesh.streams" -}}
{{- $files := dict -}}
{{- if .Values.streams.packaged -}}
{{- range $path, $_ := .Files.Glob "files/streams/*.json" -}}
{{- $_ := set $files (base $path) ($.Files.Get $path) -}}
{{- end -}}
{{- end -}}
{{- range $name, $text := .Values.streams.files -}}
{{- $_ := set $files $name $text -}}
{{- end -}}
{{- if not $files -}}
{{- fail "streams: there is no stream. Set streams.packaged, or give a file in streams.files." -}}
{{- end -}}
{{- range $name, $text := $files -}}
{{- $stream := fromJson $text -}}
{{- if or (hasKey $stream "Error") (not $stream.topic) -}}
{{- fail (printf "streams.files: %s is no stream: a JSON object with a topic is wanted (streams/README.md)" $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* {"topics": [the streams' topics, in the order of their names]} as JSON. */}}
{{- define "tweetmesh.topics" -}}
{{- $topics := list -}}
{{- range $_, $text := include "tweetmesh.streams" . | fromYaml -}}
{{- $topics = append $topics (fromJson $text).topic -}}
{{- end -}}
{{- dict "topics" ($topics | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{/* A Kafka topic as the name of an object. */}}
{{- define "tweetmesh.objectName" -}}
{{- . | lower | replace "_" "-" | trunc 200 | trimSuffix "-" | trimSuffix "." -}}
{{- end -}}

{{/* host:port of Kafka. */}}
{{- define "tweetmesh.bootstrap" -}}
{{- with .Values.kafka -}}
{{- .bootstrap | default (printf "%s-kafka-bootstrap:%d" .name (eq (include "tweetmesh.kafkaIsPlain" $) "true" | ternary 9092 9093)) -}}
{{- end -}}
{{- end -}}

{{- define "tweetmesh.kafkaIsPlain" -}}
{{- and (not .Values.kafka.tls) (eq .Values.kafka.authentication "none") -}}
{{- end -}}

{{/* A user's name in Kafka. Call: (list $ "grpcServer" "grpc-server") */}}
{{- define "tweetmesh.kafkaUser" -}}
{{- $root := index . 0 -}}
{{- index $root.Values.kafka.users (index . 1) | default (printf "%s-%s" (include "tweetmesh.name" $root) (index . 2)) -}}
{{- end -}}

{{- define "tweetmesh.kafkaCa" -}}
{{- .Values.kafka.ca.name | default (printf "%s-cluster-ca-cert" .Values.kafka.name) -}}
{{- end -}}

{{/* Host names for the Ingress. */}}
{{- define "tweetmesh.host" -}}
{{- with .Values.ingress -}}
{{- if .host -}}{{ .host }}
{{- else if .ip -}}{{ printf "%s.%s.nip.io" (include "tweetmesh.name" $) .ip }}
{{- else -}}
{{- fail "ingress: give ingress.host, or ingress.ip (the controller's public address) for a name under nip.io" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tweetmesh.liveHost" -}}
{{- .Values.ingress.liveHost | default (printf "live.%s" (include "tweetmesh.host" .)) -}}
{{- end -}}

{{/*
Fails where the cluster lacks a kind. Only a cluster tells kinds ("v1/Pod"): `helm template` alone knows groups, and passes.
Call: (list $ "kafka.strimzi.io/v1/Kafka" "kafka.enabled" "how to get it")
*/}}
{{- define "tweetmesh.needs" -}}
{{- $versions := (index . 0).Capabilities.APIVersions -}}
{{- if and ($versions.Has "v1/Pod") (not ($versions.Has (index . 1))) -}}
{{- fail (printf "\n\n%s is set, but this cluster does not know %s.\n%s\n" (index . 2) (index . 1) (index . 3)) -}}
{{- end -}}
{{- end -}}

{{/* The same for who asks from another namespace: a Service's short name gets its namespace. */}}
{{- define "tweetmesh.bootstrapEverywhere" -}}
{{- $address := include "tweetmesh.bootstrap" . -}}
{{- if .Values.kafka.bootstrap -}}
{{- $address -}}
{{- else -}}
{{- $address | replace ":" (printf ".%s.svc:" .Release.Namespace) -}}
{{- end -}}
{{- end -}}
