{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The pod of an audit: ends with 0 where Kafka, Redis and MongoDB are equal. */}}
{{- define "tweetmesh.audit.pod" -}}
{{- $stores := include "tweetmesh.stores" (list . "audit" "audit" (list "kafka" "redis" "mongodb")) | fromJson -}}
{{ include "tweetmesh.pod" (list . "audit" dict) }}
restartPolicy: Never
containers:
  - {{ include "tweetmesh.container" (list . "audit" .Values.audit.resources) | indent 4 | trim }}
    args: ["--wait", {{ .Values.audit.waitSeconds | int64 | quote }}]
    env:
      {{- include "tweetmesh.environment" (list $stores.environment .Values.audit.settings) | trim | nindent 6 }}
    volumeMounts:
      {{- include "tweetmesh.streamsMount" . | nindent 6 }}
      {{- if $stores.secrets }}
      {{- include "tweetmesh.secretsMount" "secrets" | nindent 6 }}
      {{- end }}
volumes:
  {{- include "tweetmesh.streamsVolume" . | nindent 2 }}
  {{- with $stores.secrets }}
  {{- include "tweetmesh.secretVolume" (list "secrets" .) | nindent 2 }}
  {{- end }}
{{- end -}}
