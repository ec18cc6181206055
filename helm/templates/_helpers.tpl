{{/* Names are fixed, since a cluster has one release: the webhook, the CRD and the ClusterRoles are unique in it. */}}

{{/* Labels that select the pods of a component. Called with a component's name. */}}
{{- define "pilotfish.selector" -}}
app.kubernetes.io/name: pilotfish
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "pilotfish.labels" -}}
app.kubernetes.io/name: pilotfish
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pilotfish
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of an object of one component. Called with a dict: root, component. */}}
{{- define "pilotfish.componentLabels" -}}
{{ include "pilotfish.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of a pod. They do not change with the version, so an upgrade restarts only pods whose settings changed. */}}
{{- define "pilotfish.podLabels" -}}
{{ include "pilotfish.selector" .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: pilotfish
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What keeps an object when the release is removed, by Helm and by Argo CD. */}}
{{- define "pilotfish.kept" -}}
argocd.argoproj.io/sync-options: Delete=false,Prune=false
helm.sh/resource-policy: keep
{{- end }}

{{/* Reference of an image. Called with a dict: root, image (repository, tag, digest). */}}
{{- define "pilotfish.image" -}}
{{- $name := .image.repository -}}
{{- with .root.Values.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Security settings of a container that the Pod Security Standard "restricted" admits. */}}
{{- define "pilotfish.restricted" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* URL of the controller, for the pods. */}}
{{- define "pilotfish.controlUrl" -}}
https://pilotfish-control.{{ .Release.Namespace }}.svc:8443
{{- end }}

{{/* URL of the node's Pilotfish, for the pods. */}}
{{- define "pilotfish.nodeUrl" -}}
https://pilotfish-node.{{ .Release.Namespace }}.svc:8443
{{- end }}

{{/* Names of the components that serve, separated by spaces. */}}
{{- define "pilotfish.components" -}}
control{{ if .Values.injector.enabled }} injector{{ end }}{{ if .Values.node.enabled }} node{{ end }}
{{- end }}

{{/* Settings of the pod template that both components share. Called with a dict: root, component. */}}
{{- define "pilotfish.placement" -}}
{{- with .root.Values.scheduling.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.scheduling.nodeSelector }}
nodeSelector:{{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.tolerations }}
tolerations:{{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.affinity }}
affinity:{{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:{{ include "pilotfish.selector" $.component | nindent 8 }}
{{- end }}
{{- end }}

{{/* A quantity of memory in Mi; empty in another unit. */}}
{{- define "pilotfish.mebibytes" -}}
{{- if regexMatch "^[0-9]+Gi$" . }}{{ mul 1024 (trimSuffix "Gi" . | int) }}
{{- else if regexMatch "^[0-9]+Mi$" . }}{{ trimSuffix "Mi" . }}
{{- end }}
{{- end }}

{{/* Not empty if the controller may resize pods in some namespace. */}}
{{- define "pilotfish.resizes" -}}
{{- range .Values.actNamespaces }}{{ if or .resize .resizeTemplates }}true{{ end }}{{ end -}}
{{- end }}
