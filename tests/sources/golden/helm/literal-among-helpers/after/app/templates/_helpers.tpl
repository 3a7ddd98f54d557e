{{ define "web.image" }}docker.io/library/nginx:1.25{{ end }}
