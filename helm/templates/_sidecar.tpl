{{/*
The containers that the injector adds to a pod: the only definition of them. What depends on the pod is added at
admission: ports and addresses, the monitor, the arguments of the redirection, and limits of a Guaranteed pod.
*/}}
{{- define "pilotfish.sidecar" -}}
release: {{ .Chart.AppVersion | quote }}
control: {{ include "pilotfish.controlUrl" . }}
proxy:
  name: pilotfish-proxy
  image: {{ include "pilotfish.image" (dict "root" . "image" .Values.image) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args:
    - proxy
    - --shared=/run/pilotfish
    - --health=:9796
    - --drain-seconds={{ .Values.sidecar.proxy.drainSeconds }}
    - --log-format={{ .Values.log.format }}
    - --log-level={{ .Values.log.level }}
  startupProbe: # healthz answers for the proxy alone: the model starts after it
    httpGet: {path: /healthz, port: 9796}
    periodSeconds: 1
    failureThreshold: 60
  resources:{{ toYaml .Values.sidecar.proxy.resources | nindent 4 }}
  securityContext:{{ include "pilotfish.restricted" . | nindent 4 }}
  volumeMounts:
    - {name: pilotfish-shared, mountPath: /run/pilotfish}
    - {name: pilotfish-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
analyzer: # without a probe: it must not take the model out of service
  name: pilotfish-analyzer
  image: {{ include "pilotfish.image" (dict "root" . "image" .Values.image) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args:
    - analyze
    - --shared=/run/pilotfish
    - --state=/var/lib/pilotfish
    - --admin=:9797
    - --memory-limit={{ .Values.sidecar.analyzer.memory }}
    - --log-format={{ .Values.log.format }}
    - --log-level={{ .Values.log.level }}
  env:
    - {name: PILOTFISH_CONTROL, value: {{ include "pilotfish.controlUrl" . | quote }}}
    - {name: PILOTFISH_CONTROL_CA, value: /etc/pilotfish/ca.crt}
    - {name: PILOTFISH_CONTROL_TOKEN, value: /run/secrets/pilotfish/token}
    - name: PILOTFISH_MODEL_VERSION
      valueFrom: {fieldRef: {fieldPath: "metadata.labels['pilotfish.dev/model-version']"}}
    - name: PILOTFISH_POD_NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    - name: PILOTFISH_POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: PILOTFISH_POD_UID
      valueFrom: {fieldRef: {fieldPath: metadata.uid}}
    {{- if .Values.node.enabled }}
    - {name: PILOTFISH_NODE, value: {{ include "pilotfish.nodeUrl" . | quote }}}
    - {name: PILOTFISH_NODE_CA, value: /etc/pilotfish/ca.crt}
    - {name: PILOTFISH_NODE_TOKEN, value: /run/secrets/pilotfish/node-token}
    {{- end }}
  ports:
    - {name: pilotfish, containerPort: 9797, protocol: TCP}
  resources:{{ toYaml .Values.sidecar.analyzer.resources | nindent 4 }}
  securityContext:{{ include "pilotfish.restricted" . | nindent 4 }}
  volumeMounts:
    - {name: pilotfish-shared, mountPath: /run/pilotfish}
    - {name: pilotfish-state, mountPath: /var/lib/pilotfish}
    - {name: pilotfish-token, mountPath: /run/secrets/pilotfish, readOnly: true}
    - {name: pilotfish-ca, mountPath: /etc/pilotfish, readOnly: true}
    - {name: pilotfish-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
redirect: # only in namespaces that admit NET_ADMIN
  name: pilotfish-redirect
  image: {{ include "pilotfish.image" (dict "root" . "image" .Values.redirectImage) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  securityContext:
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL], add: [NET_ADMIN]}
    readOnlyRootFilesystem: true
    runAsNonRoot: false
    runAsUser: 0
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: pilotfish-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
volumes:
  - name: pilotfish-shared
    emptyDir: {medium: Memory, sizeLimit: 16Mi}
  - name: pilotfish-state
    emptyDir: {sizeLimit: {{ .Values.sidecar.analyzer.stateSize }}}
  - name: pilotfish-token
    projected:
      sources:
        - serviceAccountToken: {audience: pilotfish, expirationSeconds: 3600, path: token}
        {{- if .Values.node.enabled }}
        - serviceAccountToken: {audience: pilotfish-node, expirationSeconds: 3600, path: node-token}
        {{- end }}
  - name: pilotfish-ca # optional: the pod starts without it
    configMap: {name: pilotfish-ca, optional: true, items: [{key: ca.crt, path: ca.crt}]}
  - name: pilotfish-no-token # empty: where it is mounted, the API server mounts no token of the pod's service account
    emptyDir: {}
guaranteedCpu: {proxy: {{ .Values.sidecar.proxy.guaranteedCpu | quote }}, analyzer: {{ .Values.sidecar.analyzer.guaranteedCpu | quote }}}
imagePullSecrets: {{ toJson .Values.imagePullSecrets }}
{{- end }}
