{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* What all pods have in common. Call: (list $ "service account suffix" values-of-the-part) */}}
{{- define "tweetmesh.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "tweetmesh.name" $root }}-{{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with index . 2 }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- if and $root.Values.topologySpread.enabled (ne (index . 1) "audit") }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "tweetmesh.selector" (list $root (index $ 1)) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* What all containers have in common. Call: (list $ "program" resources) */}}
{{- define "tweetmesh.container" -}}
name: {{ index . 1 }}
image: {{ include "tweetmesh.image" (list (index . 0) (index . 1)) | quote }}
imagePullPolicy: {{ (index . 0).Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml (index . 2) | nindent 2 }}
{{- end -}}

{{/* Maps in one, as JSON; the last that has a name wins, also with false, 0 or "", which `merge` would take for missing. */}}
{{- define "tweetmesh.together" -}}
{{- $all := dict -}}
{{- range $map := . -}}
{{- range $name, $value := $map -}}
{{- $_ := set $all $name $value -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{/* Environment: what the chart sets, then the user's settings. Call: (list own settings) */}}
{{- define "tweetmesh.environment" -}}
{{- range $name, $value := include "tweetmesh.together" . | fromJson }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else if kindIs "float64" $value }}
  value: {{ $value | int64 | quote }}
  {{- else }}
  value: {{ $value | toString | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* How a container is probed on its ops port. Ready is asked for often, since it decides who gets work. */}}
{{- define "tweetmesh.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ index . 0 }}}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ index . 0 }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- with index . 1 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  periodSeconds: 3
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/*
What a program gets to reach Kafka, Redis, MongoDB or a collector, as {"environment": {…}, "secrets": [{"name", "items"}]}:
secrets are files, which the programs read again when they change (the collector's headers at the start only).
Call: (list $ "grpcServer" "grpc-server" (list "kafka" "redis" "mongodb"))
*/}}
{{- define "tweetmesh.stores" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- $secrets := list -}}
{{- $environment := dict "STREAMS_DIR" "/etc/tweetmesh/streams" -}}
{{- $folder := "/etc/tweetmesh/secrets" -}}
{{- if has "kafka" (index . 3) -}}
{{- $_ := set $environment "KAFKA_BROKERS" (include "tweetmesh.bootstrap" $root) -}}
{{- if $values.kafka.tls -}}
{{- $_ := set $environment "KAFKA_TLS" "true" -}}
{{- $_ := set $environment "KAFKA_CA" (printf "%s/kafka-ca.crt" $folder) -}}
{{- $secrets = append $secrets (dict "name" (include "tweetmesh.kafkaCa" $root) "key" $values.kafka.ca.key "path" "kafka-ca.crt") -}}
{{- end -}}
{{- if ne $values.kafka.authentication "none" -}}
{{- $user := include "tweetmesh.kafkaUser" (list $root (index . 1) (index . 2)) -}}
{{- $_ := set $environment "KAFKA_USER" $user -}}
{{- $_ := set $environment "KAFKA_PASSWORD_FILE" (printf "%s/kafka-password" $folder) -}}
{{- $secrets = append $secrets (dict "name" $user "key" "password" "path" "kafka-password") -}}
{{- end -}}
{{- end -}}
{{- if has "redis" (index . 3) -}}
{{- $_ := set $environment "REDIS_URL" $values.redis.url -}}
{{- if $values.redis.secret.name -}}
{{- $_ := set $environment "REDIS_PASSWORD_FILE" (printf "%s/redis-password" $folder) -}}
{{- $secrets = append $secrets (dict "name" $values.redis.secret.name "key" $values.redis.secret.key "path" "redis-password") -}}
{{- with $values.redis.user -}}
{{- $_ := set $environment "REDIS_USER" . -}}
{{- end -}}
{{- else if $values.redis.user -}}
{{- fail "redis.user means nothing without redis.secret.name, the Secret with its password" -}}
{{- end -}}
{{- if and $values.redis.ca.name (not (hasPrefix "rediss://" $values.redis.url)) -}}
{{- fail "redis.ca means nothing unless redis.url begins with rediss://" -}}
{{- end -}}
{{- if $values.redis.ca.name -}}
{{- $_ := set $environment "REDIS_CA" (printf "%s/redis-ca.crt" $folder) -}}
{{- $secrets = append $secrets (dict "name" $values.redis.ca.name "key" $values.redis.ca.key "path" "redis-ca.crt") -}}
{{- end -}}
{{- end -}}
{{- if has "mongodb" (index . 3) -}}
{{- $_ := set $environment "MONGODB_DATABASE" $values.mongodb.database -}}
{{- $_ := set $environment "MONGODB_URI" $values.mongodb.uri -}}
{{- if ne (empty $values.mongodb.secret.name) (empty $values.mongodb.user) -}}
{{- fail "mongodb.user and mongodb.secret.name (the Secret with its password) go together" -}}
{{- end -}}
{{- if $values.mongodb.secret.name -}}
{{- $_ := set $environment "MONGODB_USER" $values.mongodb.user -}}
{{- $_ := set $environment "MONGODB_PASSWORD_FILE" (printf "%s/mongodb-password" $folder) -}}
{{- $secrets = append $secrets (dict "name" $values.mongodb.secret.name "key" $values.mongodb.secret.key "path" "mongodb-password") -}}
{{- end -}}
{{- if $values.mongodb.ca.name -}}
{{- $_ := set $environment "MONGODB_CA" (printf "%s/mongodb-ca.crt" $folder) -}}
{{- $secrets = append $secrets (dict "name" $values.mongodb.ca.name "key" $values.mongodb.ca.key "path" "mongodb-ca.crt") -}}
{{- end -}}
{{- end -}}
{{- if has "collector" (index . 3) -}}
{{- $environment = merge $environment (include "tweetmesh.tracing" $root | fromJson) -}}
{{- $url := include "tweetmesh.collector" (list $root (index $values (index . 1)).settings) -}}
{{- if and $values.tracing.headers.name $url -}}
{{- $_ := set $environment "OTEL_EXPORTER_OTLP_HEADERS_FILE" (printf "%s/collector-headers" $folder) -}}
{{- $secrets = append $secrets (dict "name" $values.tracing.headers.name "key" $values.tracing.headers.key "path" "collector-headers") -}}
{{- end -}}
{{- end -}}
{{- dict "environment" $environment "secrets" $secrets | toJson -}}
{{- end -}}

{{/* What `tracing` sets in all programs that send spans, as JSON. */}}
{{- define "tweetmesh.tracing" -}}
{{- $own := dict -}}
{{- with .Values.tracing -}}
{{- with .endpoint -}}
{{- $_ := set $own "OTEL_EXPORTER_OTLP_ENDPOINT" . -}}
{{- end -}}
{{- with .sampler -}}
{{- $_ := set $own "OTEL_TRACES_SAMPLER" . -}}
{{- end -}}
{{- with toString .samplerArgument -}}
{{- $_ := set $own "OTEL_TRACES_SAMPLER_ARG" . -}}
{{- end -}}
{{- if and .headers.name (not (or .endpoint .settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)) -}}
{{- fail "tracing.headers.name means nothing without tracing.endpoint, the collector that the headers are for" -}}
{{- end -}}
{{- merge $own .settings | toJson -}}
{{- end -}}
{{- end -}}

{{/* Where a program sends its spans, by its own settings and `tracing`: a URL, or nothing. Call: (list $ settings) */}}
{{- define "tweetmesh.collector" -}}
{{- $settings := include "tweetmesh.together" (list (include "tweetmesh.tracing" (index . 0) | fromJson) (index . 1)) | fromJson -}}
{{- if ne (toString $settings.OTEL_SDK_DISABLED) "true" -}}
{{- $settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT | default $settings.OTEL_EXPORTER_OTLP_ENDPOINT | default "" -}}
{{- end -}}
{{- end -}}

{{/* The port of a URL of http or https. */}}
{{- define "tweetmesh.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}

{{/* A volume of the secrets of "tweetmesh.stores". Call: (list "name" secrets) */}}
{{- define "tweetmesh.secretVolume" -}}
- name: {{ index . 0 }}
  projected:
    defaultMode: 0440
    sources:
      {{- range index . 1 }}
      - secret:
          name: {{ .name }}
          items:
            - {key: {{ .key }}, path: {{ .path }}}
      {{- end }}
{{- end -}}

{{/* The volume of the stream files. */}}
{{- define "tweetmesh.streamsVolume" -}}
- name: streams
  configMap:
    name: {{ include "tweetmesh.name" . }}-streams
{{- end -}}

{{- define "tweetmesh.streamsMount" -}}
- {name: streams, mountPath: /etc/tweetmesh/streams, readOnly: true}
{{- end -}}

{{- define "tweetmesh.secretsMount" -}}
- {name: {{ . }}, mountPath: /etc/tweetmesh/secrets, readOnly: true}
{{- end -}}

{{/* Pods start anew when the stream files change; the programs read them once. */}}
{{- define "tweetmesh.checksums" -}}
checksum/streams: {{ include "tweetmesh.streams" . | sha256sum }}
{{- end -}}
