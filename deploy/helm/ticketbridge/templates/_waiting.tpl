{{/* Jobs that could run now and do not, of some queues; of all when none is named. A lane is `<queue>@<connection>`, or `callback`. */}}
{{- define "ticketbridge.waitingQuery" -}}
{{- $only := "" }}
{{- if . }}{{ $only = printf " AND split_part(lane, '@', 1) IN ('%s')" (join "', '" .) }}{{ end -}}
SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'due' AND due_at <= now(){{ $only }}) + (SELECT COUNT(*) FROM jobs WHERE state = 'rung'{{ $only }}) AS waiting
{{- end }}

{{- define "ticketbridge.waitingMetric" -}}
{{- $only := "" }}
{{- if . }}{{ $only = printf ",lane=~\"(%s)(@.*)?\"" (join "|" .) }}{{ end -}}
sum(max by (lane, state) (ticketbridge_jobs{state=~"due|rung"{{ $only }}}))
{{- end }}
