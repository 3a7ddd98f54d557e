"""What Applications name by a URL and is in no repository of Git: charts and value files, downloaded."""
