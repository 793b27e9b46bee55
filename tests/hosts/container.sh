#!/bin/bash
# Does what a container engine does with the last stage of examples/docker/Dockerfile, by plain tools
# of Linux and in a mount namespace of its own: its RUN and COPY make a root, which is then mounted
# read-only; its CMD runs there as its USER without capabilities, and its HEALTHCHECK beside it.
#
#     unshare --mount --pid --fork --kill-child bash container.sh ROOT VOLUME PLAN DATA CACHE
#
# ROOT is an empty folder and VOLUME becomes the volume; PLAN is a folder with what the Dockerfile
# says (see container.rs); CACHE may hold native code of the stages. Says a line for each thing that held.
set -euo pipefail
root=$1 volume=$2 plan=$3 data=$4 cache=$5
mount --make-rprivate /
mount --bind "$root" "$root"

# The base image: this machine's programs and libraries, and nothing else of it.
mkdir -p "$root"/{usr/local/bin,etc/ssl/certs,var/lib,proc,dev,tmp}
for folder in bin sbin lib lib32 lib64 libx32 share; do
  if [ -d "/usr/$folder" ]; then
    mkdir -p "$root/usr/$folder"
    mount --bind "/usr/$folder" "$root/usr/$folder"
    mount -o remount,bind,ro "$root/usr/$folder"
  fi
  if [ -L "/$folder" ]; then
    cp -P "/$folder" "$root/$folder"
  elif [ -d "/$folder" ]; then
    mkdir -p "$root/$folder"
    mount --rbind "/$folder" "$root/$folder"
  fi
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
cp /etc/ld.so.cache /etc/login.defs "$root/etc/" 2>/dev/null || true
echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
chroot "$root" /usr/bin/env -i PATH=$path /bin/sh -c "$(cat "$plan/run")"
while IFS=$'\t' read -r from to; do
  install -D --mode "$([ -x "$from" ] && echo 0755 || echo 0644)" "$from" "$root$to"
done <"$plan/copy"

# A named volume begins with what the image has there, and with its owner.
mounted=$root$(cat "$plan/volume")
chown --reference "$mounted" "$volume"
chmod --reference "$mounted" "$volume"
mount --bind "$volume" "$mounted"
install --owner 10001 --mode 0600 "$data" "$mounted/data.csv"
if [ -d "$cache" ]; then
  cp -r "$cache" "$mounted/cache"
  chown -R 10001:10001 "$mounted/cache"
fi
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777,size=64m tmp "$root/tmp"

user=$(cat "$plan/user")
mapfile -t command <"$plan/command"
mapfile -t health <"$plan/health"
mapfile -t env <"$plan/env"
# What comes before a command of the image, as the engine runs it. An array and no function: so the
# server is this shell's own child, and is what gets the signal.
within=(chroot "$root" /usr/bin/env -i "--chdir=$(cat "$plan/workdir")" "PATH=$path"
  SEPTET_HTTP_KEY=a-key-of-the-container-test "${env[@]}"
  /usr/bin/setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups
  --no-new-privs --inh-caps=-all --bounding-set=-all --)

[ "$("${within[@]}" id -u)" = "${user%:*}" ] && echo "user ${user%:*}"
"${within[@]}" sh -c 'touch /probe /etc/probe /usr/bin/probe' 2>/dev/null || echo "the root is read-only"
"${within[@]}" sh -c 'grep -q "^CapEff:.0*$" /proc/self/status' && echo "no capabilities"

"${within[@]}" "${health[@]}" 2>/dev/null && echo "healthy before it runs"
"${within[@]}" "${command[@]}" >"$plan/log" 2>&1 &
server=$!
for _ in $(seq 600); do
  "${within[@]}" "${health[@]}" 2>/dev/null && break
  kill -0 $server 2>/dev/null || break
  sleep 0.1
done
"${within[@]}" "${health[@]}" && echo "healthy"
"${within[@]}" septet run data.csv --target species --detach >"$plan/run-log" 2>&1 || cat "$plan/run-log"
for _ in $(seq 600); do
  [[ $("${within[@]}" septet models) == *champion* ]] && break
  sleep 0.1
done
[[ $("${within[@]}" septet models) == *champion* ]] && echo "a model is trained"
kill -TERM $server
wait $server && echo "ended by SIGTERM"
cat "$plan/log" >&2
