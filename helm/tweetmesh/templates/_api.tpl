{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/*
The three containers of the api pod. As native sidecars grpc-server and ws-redis start before api and are told to end only after
it has ended. As plain containers all are told at once, so the two wait (preStop) until api must have drained.
*/}}

{{- define "tweetmesh.api.plainWait" -}}
{{- add .Values.api.preStopSeconds .Values.api.drainSeconds -}}
{{- end -}}

{{/* The sum of all that may take its time, and a few seconds. */}}
{{- define "tweetmesh.api.grace" -}}
{{- add .Values.api.preStopSeconds .Values.api.drainSeconds .Values.grpcServer.drainSeconds .Values.wsRedis.drainSeconds 10 -}}
{{- end -}}

{{- define "tweetmesh.sidecarLife" -}}
{{- if .Values.api.nativeSidecars }}
restartPolicy: Always
{{- else }}
lifecycle:
  preStop:
    sleep: {seconds: {{ include "tweetmesh.api.plainWait" . }}}
{{- end }}
{{- end -}}

{{- define "tweetmesh.api.container" -}}
{{- $stores := include "tweetmesh.stores" (list . "api" "api" (list "collector")) | fromJson -}}
{{- $own := merge $stores.environment (dict
  "GRPC_TARGET" "unix:/run/tweetmesh/grpc.sock"
  "WS_URL" "ws://127.0.0.1:8090/"
  "HTTP_PORT" "8080"
  "OPS_PORT" "8081"
  "DRAIN_MS_MAX" (mul .Values.api.drainSeconds 1000 | toString)) -}}
{{- if .Values.api.tls.secretName -}}
{{- $_ := set $own "TLS_CERT" "/etc/tweetmesh/https/tls.crt" -}}
{{- $_ := set $own "TLS_KEY" "/etc/tweetmesh/https/tls.key" -}}
{{- end -}}
{{ include "tweetmesh.container" (list . "api" .Values.api.resources) }}
env:
  {{- include "tweetmesh.environment" (list $own .Values.api.settings) | trim | nindent 2 }}
ports:
  - {name: http, containerPort: 8080}
  - {name: ops, containerPort: 8081}
{{ include "tweetmesh.probes" (list "ops" (dict "httpGet" (dict "path" "/readyz" "port" "ops"))) }}
lifecycle:
  preStop:
    sleep: {seconds: {{ .Values.api.preStopSeconds }}}
volumeMounts:
  {{- include "tweetmesh.streamsMount" . | nindent 2 }}
  - {name: sockets, mountPath: /run/tweetmesh}
  {{- if $stores.secrets }}
  {{- include "tweetmesh.secretsMount" "api-secrets" | nindent 2 }}
  {{- end }}
  {{- if .Values.api.tls.secretName }}
  - {name: https, mountPath: /etc/tweetmesh/https, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Its TCP port is for probes and, where there is a Service for it, for clients; api uses the socket. */}}
{{- define "tweetmesh.grpcServer.container" -}}
{{- $stores := include "tweetmesh.stores" (list . "grpcServer" "grpc-server" (list "kafka" "collector")) | fromJson -}}
{{- $own := merge $stores.environment (dict
  "GRPC_LISTEN" "unix:/run/tweetmesh/grpc.sock,0.0.0.0:50051"
  "OPS_PORT" "8082"
  "DRAIN_MS_MAX" (mul .Values.grpcServer.drainSeconds 1000 | toString)) -}}
{{- $ready := dict "grpc" (dict "port" 50051) -}}
{{- if .Values.grpcServer.tls.secretName -}}
{{- $_ := set $own "GRPC_CA" "/etc/tweetmesh/grpc/ca.crt" -}}
{{- $_ := set $own "GRPC_CERT" "/etc/tweetmesh/grpc/tls.crt" -}}
{{- $_ := set $own "GRPC_KEY" "/etc/tweetmesh/grpc/tls.key" -}}
{{- /* A kubelet has no client certificate. */ -}}
{{- $ready = dict "httpGet" (dict "path" "/readyz" "port" "grpc-ops") -}}
{{- end -}}
{{ include "tweetmesh.container" (list . "grpc-server" .Values.grpcServer.resources) }}
{{- include "tweetmesh.sidecarLife" . }}
env:
  {{- include "tweetmesh.environment" (list $own .Values.grpcServer.settings) | trim | nindent 2 }}
ports:
  - {name: grpc, containerPort: 50051}
  - {name: grpc-ops, containerPort: 8082}
{{ include "tweetmesh.probes" (list "grpc-ops" $ready) }}
volumeMounts:
  {{- include "tweetmesh.streamsMount" . | nindent 2 }}
  - {name: sockets, mountPath: /run/tweetmesh}
  {{- if $stores.secrets }}
  {{- include "tweetmesh.secretsMount" "grpc-server-secrets" | nindent 2 }}
  {{- end }}
  {{- if .Values.grpcServer.tls.secretName }}
  - {name: grpc, mountPath: /etc/tweetmesh/grpc, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Ready as soon as it turns, also without Redis: hints are optional, and must not take the pod out of its Service. */}}
{{- define "tweetmesh.wsRedis.container" -}}
{{- $stores := include "tweetmesh.stores" (list . "wsRedis" "ws-redis" (list "redis" "collector")) | fromJson -}}
{{- $own := merge $stores.environment (dict
  "WS_PORT" "8090"
  "OPS_PORT" "8083"
  "DRAIN_MS_MAX" (mul .Values.wsRedis.drainSeconds 1000 | toString)) -}}
{{ include "tweetmesh.container" (list . "ws-redis" .Values.wsRedis.resources) }}
{{- include "tweetmesh.sidecarLife" . }}
env:
  {{- include "tweetmesh.environment" (list $own .Values.wsRedis.settings) | trim | nindent 2 }}
ports:
  - {name: live, containerPort: 8090}
  - {name: ws-ops, containerPort: 8083}
{{ include "tweetmesh.probes" (list "ws-ops" (dict "httpGet" (dict "path" "/healthz" "port" "ws-ops"))) }}
volumeMounts:
  {{- include "tweetmesh.streamsMount" . | nindent 2 }}
  {{- if $stores.secrets }}
  {{- include "tweetmesh.secretsMount" "ws-redis-secrets" | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "tweetmesh.api.volumes" -}}
{{- $api := (include "tweetmesh.stores" (list . "api" "api" (list "collector")) | fromJson).secrets -}}
{{- $grpcServer := (include "tweetmesh.stores" (list . "grpcServer" "grpc-server" (list "kafka" "collector")) | fromJson).secrets -}}
{{- $wsRedis := (include "tweetmesh.stores" (list . "wsRedis" "ws-redis" (list "redis" "collector")) | fromJson).secrets -}}
{{ include "tweetmesh.streamsVolume" . }}
- name: sockets
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- with $api }}
{{ include "tweetmesh.secretVolume" (list "api-secrets" .) }}
{{- end }}
{{- with $grpcServer }}
{{ include "tweetmesh.secretVolume" (list "grpc-server-secrets" .) }}
{{- end }}
{{- with $wsRedis }}
{{ include "tweetmesh.secretVolume" (list "ws-redis-secrets" .) }}
{{- end }}
{{- with .Values.api.tls.secretName }}
- name: https
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.grpcServer.tls.secretName }}
- name: grpc
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}
