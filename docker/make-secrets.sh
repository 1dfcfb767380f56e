#!/bin/sh
# Writes the secrets that compose.yaml hands to the services, each once; what is there stays as it is.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

random() {
    # 48 bytes in letters, digits, - and _: safe in a URL and in a shell.
    head -c 48 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'
}

make() {
    if [ -e "secrets/$1" ]; then
        echo "secrets/$1 is there already"
    else
        printf %s "$2" >"secrets/$1"
        echo "secrets/$1 written"
    fi
}

make signing_secret "$(random)"
make postgres_password "$(random)"
make redis_password "$(random)"
make objects_secret_key "$(random)"
make database_url "postgresql://secureconnect:$(cat secrets/postgres_password)@postgres:5432/secureconnect"
make redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"

# Compose mounts the files with the owner and mode they have; the services run as users of their own.
chmod 0755 secrets
chmod 0444 secrets/*
