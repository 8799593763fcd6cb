#!/bin/sh
for name in listmonk gitea nocodb_meta umami; do psql -c "CREATE DATABASE $name"; done
