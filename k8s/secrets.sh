#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the Secrets of Redis, MongoDB and Grafana with random passwords; what is there already stays.
# usage: k8s/secrets.sh [NAMESPACE]        (project); KUBECTL names another kubectl
set -eu

namespace=${1:-project}
kubectl=${KUBECTL:-kubectl}

password() { openssl rand -hex 24; }
missing() { ! $kubectl -n "$namespace" get secret "$1" >/dev/null 2>&1; }
hashed() { printf '%s' "$1" | openssl dgst -sha256 -r | cut -d' ' -f1; }

# As docs/operations.md has it; tests/deploy compares the two.
rights='resetkeys ~{*}:* ~tweetmesh:health resetchannels -@all +fcall +fcall_ro +function|load +hget +hmget +hgetall +hlen +hset +hdel +lrange +lpush +ltrim +xadd +xrevrange +expire +persist +unlink +rename +ping +select'

if missing redis-users; then
    mesh=$(password)
    grafana=$(password)
    users=$(
        printf 'user default off\n'
        printf 'user probe on nopass resetkeys resetchannels -@all +ping\n'
        printf 'user tweetmesh on #%s %s\n' "$(hashed "$mesh")" "$rights"
        printf 'user grafana on #%s resetkeys %%R~{*}:* %%R~tweetmesh:* resetchannels -@all +ping +select +hello +hget +hmget +hgetall +hlen +xrange +xrevrange +xlen\n' \
            "$(hashed "$grafana")"
    )
    $kubectl -n "$namespace" create secret generic tweetmesh-redis --from-literal=password="$mesh"
    $kubectl -n "$namespace" create secret generic grafana-redis --from-literal=password="$grafana"
    $kubectl -n "$namespace" create secret generic redis-users --from-literal=users.acl="$users
"
fi
if missing tweetmesh-mongodb; then
    $kubectl -n "$namespace" create secret generic tweetmesh-mongodb --from-literal=password="$(password)"
fi
if missing mongodb-root; then
    $kubectl -n "$namespace" create secret generic mongodb-root --from-literal=password="$(password)"
fi
if missing grafana-admin; then
    $kubectl -n "$namespace" create secret generic grafana-admin \
        --from-literal=admin-user=admin --from-literal=admin-password="$(password)"
fi
