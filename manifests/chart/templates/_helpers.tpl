{{- define "bellman.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* Labels and annotations of the Pods of one process. Takes a dict of component, port and the values of the process. */}}
{{- define "bellman.podMetadata" -}}
labels:
  app.kubernetes.io/name: bellman
  app.kubernetes.io/component: {{ .component }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  prometheus.io/scrape: 'true'
  prometheus.io/port: '{{ .port }}'
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* Where the Pods of one process run. Takes the values of the process. */}}
{{- define "bellman.place" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "bellman.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Image, arguments and probes of a container. Takes a dict of root, command, values, ready and probePort. ready is the path of the
readiness probe. Without probePort, the probes use the port named metrics. */}}
{{- define "bellman.container" -}}
image: {{ include "bellman.image" .root | quote }}
{{- with .root.Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
args:
  - {{ .command }}
  {{- range .values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
# A node that boots starts all its Pods at once, so a slow start counts as a failure only after two minutes.
startupProbe:
  httpGet: {path: /healthz, port: {{ .probePort | default "metrics" }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  httpGet: {path: {{ .ready }}, port: {{ .probePort | default "metrics" }}}
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /healthz, port: {{ .probePort | default "metrics" }}}
  timeoutSeconds: 5
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The controller, the speakers, and the commands that `kubectl exec` runs in their Pods need these variables. */}}
{{- define "bellman.variables" -}}
{{- with .Values.loadBalancerClass }}
- {name: BELLMAN_LOAD_BALANCER_CLASS, value: {{ . | quote }}}
{{- end }}
{{- if ne (.Values.speaker.metricsPort | int) 7472 }}
- {name: BELLMAN_SPEAKER_PORT, value: '{{ .Values.speaker.metricsPort | int }}'}
{{- end }}
{{- if .Values.adoptOnly }}
- {name: BELLMAN_ADOPT_ONLY, value: 'true'}
{{- end }}
{{- end -}}
