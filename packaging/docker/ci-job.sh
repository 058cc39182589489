#!/bin/sh
# Runs a job in a container that cannot reach a C2 server, and says so if it tried.
#
#   sh packaging/docker/ci-job.sh FEED [DOCKER RUN OPTIONS] IMAGE [COMMAND…]
#
# FEED is a file or an http(s) address. The job gets a network of its own; trickblock, from the image
# `trickblock` (or $TRICKBLOCK_IMAGE), filters its bridge. $TRICKBLOCK_SUBNET chooses the addresses of
# the network. Everything is removed at the end, whatever happens.
#
# Exit code: 5 if a C2 was contacted (the table above names container and C2); else 4 if trickblock
# missed something and cannot tell; else 1 if it could not be asked; else the job's own.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
feed=$1
shift

id=tb$$
image=${TRICKBLOCK_IMAGE:-trickblock}
engine=${DOCKER_HOST:-unix:///var/run/docker.sock}
case $engine in
    unix://*) engine=${engine#unix://} ;;
    *)
        echo "ci-job: the engine must be on this machine, not at $engine" >&2
        exit 1
        ;;
esac

cleanup() {
    docker rm --force --volumes "$id-job" "$id-guard" >/dev/null 2>&1 || true
    docker network rm "$id" >/dev/null 2>&1 || true
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The bridge is named, so that trickblock can be told of it. Names have 15 characters at most.
docker network create --opt "com.docker.network.bridge.name=$id" \
    ${TRICKBLOCK_SUBNET:+--subnet "$TRICKBLOCK_SUBNET"} "$id" >/dev/null

case $feed in
    *://*) source=$feed ;;
    *)
        if [ ! -e "$feed" ]; then
            echo "ci-job: $feed: no such feed" >&2
            exit 1
        fi
        source=/feed
        feed=$(cd "$(dirname "$feed")" && pwd)/$(basename "$feed")
        mounted=1
        ;;
esac

# The BPF file system is the container's own: with it the filter goes. A filter that is to outlive its
# container takes the host's instead (--volume /sys/fs/bpf:/sys/fs/bpf).
docker run --detach --name "$id-guard" --network host \
    --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt apparmor=unconfined \
    --mount type=volume,dst=/sys/fs/bpf,volume-driver=local,volume-opt=type=bpf,volume-opt=device=bpf \
    --volume "$engine:/var/run/docker.sock" \
    ${mounted:+--volume "$feed:/feed:ro"} \
    "$image" run -i "$id" --hook tcx --mode gateway --feed "$source" >/dev/null

guard() {
    docker exec "$id-guard" /usr/bin/trickblock "$@"
}

# Only a filter that is on and has read its feed is worth a job: without a list every job is clean.
tries=0
until guard status >/dev/null 2>&1; do
    tries=$((tries + 1))
    running=$(docker inspect --format '{{.State.Running}}' "$id-guard")
    if [ "$running" != true ] || [ "$tries" -gt 150 ]; then
        echo "ci-job: trickblock did not start, or has no list:" >&2
        guard status >&2 || true
        docker logs "$id-guard" >&2
        exit 1
    fi
    sleep 0.2
done

job=0
docker run --rm --name "$id-job" --network "$id" "$@" || job=$?

seen=0
guard contacts || seen=$?
if [ "$seen" -ne 0 ]; then
    exit "$seen"
fi
exit "$job"
