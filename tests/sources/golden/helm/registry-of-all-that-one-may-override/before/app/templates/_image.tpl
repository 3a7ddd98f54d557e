{{- define "image" -}}
{{- with merge .image .global -}}
{{ .registry }}/{{ .image }}:{{ .tag }}
{{- end -}}
{{- end -}}
