#!/bin/sh
# Postgres runs this once, on an empty volume: the role that Countersign runs as, and the sandbox company's database.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$COUNTERSIGN_APP_PASSWORD" --set sandbox="${POSTGRES_DB}_sandbox" \
     --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
SELECT 'CREATE ROLE countersign_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countersign_app') \gexec
ALTER ROLE countersign_app PASSWORD :'password';
CREATE DATABASE :"sandbox" OWNER countersign_app;
SQL
