{{- define "operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: vibetalk
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "operator.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "operator.chatNodeImage" -}}
{{- default (printf "ghcr.io/vibetalk/chat-node:%s" .Chart.AppVersion) .Values.chatNode.image -}}
{{- end -}}

{{- /* What the operator may do in a namespace that it serves. */ -}}
{{- define "operator.rules" -}}
# The clusters it serves; `patch` sets and removes the finalizer. It never writes a spec.
- apiGroups: [vibetalk.dev]
  resources: [vibetalkclusters]
  verbs: [get, list, watch, patch]
# What it reports.
- apiGroups: [vibetalk.dev]
  resources: [vibetalkclusters/status]
  verbs: [get, patch]
# Owner references that hold the owner's deletion back, where the API server asks for this permission.
- apiGroups: [vibetalk.dev]
  resources: [vibetalkclusters/finalizers]
  verbs: [update]
# Children: the chat nodes …
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# … their address, settings and identity …
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# … how many of them may be evicted at once …
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# … the way in from outside, and who may reach them …
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# … the way in through a gateway, where the Gateway API is installed …
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# … what Prometheus is told of them, where its operator is installed …
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
# … and the autoscaler, Kubernetes' own …
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# … or KEDA's, where it is installed.
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch, create, patch, delete]
# The chat nodes' state; `patch` sets the deletion cost that decides which of them ends first.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
# Credentials, only those that a cluster names: never listed, never watched.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# What it tells about transitions.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
