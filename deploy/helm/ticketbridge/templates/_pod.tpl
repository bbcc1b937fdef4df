{{/* Where the servers are, for every process. */}}
{{- define "ticketbridge.servers" -}}
- {name: TICKETBRIDGE__DATABASE__URL, value: {{ .Values.database.url | quote }}}
- {name: TICKETBRIDGE__DATABASE__PASSWORD_FILE, value: /run/secrets/ticketbridge/database/password}
- {name: TICKETBRIDGE__DATABASE__MAX_CONNECTIONS, value: {{ .Values.database.maxConnections | quote }}}
- {name: TICKETBRIDGE__DATABASE__MIGRATE_AT_START, value: "false"}
- {name: TICKETBRIDGE__QUEUE__KIND, value: redis}
- {name: TICKETBRIDGE__REDIS__URL, value: {{ .Values.redis.url | quote }}}
{{- if .Values.redis.existingSecret }}
- {name: TICKETBRIDGE__REDIS__PASSWORD_FILE, value: /run/secrets/ticketbridge/redis/password}
{{- end }}
{{- if .Values.redis.sentinelNodes }}
- {name: TICKETBRIDGE__REDIS__SENTINEL_NODES, value: {{ join "," .Values.redis.sentinelNodes | quote }}}
- {name: TICKETBRIDGE__REDIS__SENTINEL_MASTER, value: {{ .Values.redis.sentinelMaster | quote }}}
{{- end }}
- {name: TICKETBRIDGE__WORKER__DRAIN_SECONDS, value: {{ .Values.drainSeconds | quote }}}
- {name: TICKETBRIDGE__TELEMETRY__FORMAT, value: json}
{{- end }}

{{/* The files of those secrets. */}}
{{- define "ticketbridge.serverMounts" -}}
- {name: database, mountPath: /run/secrets/ticketbridge/database, readOnly: true}
{{- if .Values.redis.existingSecret }}
- {name: redis, mountPath: /run/secrets/ticketbridge/redis, readOnly: true}
{{- end }}
{{- end }}

{{- define "ticketbridge.serverVolumes" -}}
- name: database
  secret:
    secretName: {{ .Values.database.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .Values.database.key | quote }}, path: password}]
{{- if .Values.redis.existingSecret }}
- name: redis
  secret:
    secretName: {{ .Values.redis.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .Values.redis.key | quote }}, path: password}]
{{- end }}
{{- end }}

{{/* The configuration and the secrets that it names. */}}
{{- define "ticketbridge.mounts" -}}
- {name: config, mountPath: /etc/ticketbridge, readOnly: true}
{{ include "ticketbridge.serverMounts" . }}
{{- range .Values.secrets }}
- {name: secret-{{ .name }}, mountPath: /run/secrets/ticketbridge/{{ .name }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "ticketbridge.volumes" -}}
- name: config
  configMap:
    name: {{ include "ticketbridge.name" . }}
{{ include "ticketbridge.serverVolumes" . }}
{{- range .Values.secrets }}
- name: secret-{{ .name }}
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* What every pod of the bridge has. */}}
{{- define "ticketbridge.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "ticketbridge.placed" -}}
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
{{- end }}

{{/* It lives while it answers; it is ready when it says so. */}}
{{- define "ticketbridge.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Longer than redis.response_timeout_seconds: a Redis that hangs makes no process unready.
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 10
  timeoutSeconds: 8
  failureThreshold: 2
{{- end }}
