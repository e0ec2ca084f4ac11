# The first process of a cell: prepares what the daemon may write to, runs it and ends with it.
# usage: cell-init.sh DIR BUSYBOX OWNED COMMAND...
dir=$1 busybox=$2 owned=$3
shift 3
$busybox ip link set lo up

# Engines write to fixed places (/run/containerd, /opt/containerd, /etc/docker/key.json, /var/lib/cni, ...): here those
# are layers that go with the cell. A place that cannot be layered is left as it is.
$busybox mount -t tmpfs tmpfs /run
for place in /etc /opt /var/cache /var/lib; do
  case "$dir/" in "$place"/*) continue ;; esac
  [ -d "$place" ] || continue
  layer="$dir/layers$place"
  mkdir -p "$layer/upper" "$layer/work"
  $busybox mount -t overlay -o "lowerdir=$place,upperdir=$layer/upper,workdir=$layer/work" overlay "$place"
done

# The owner holds the other end of standard input: when that closes, the owner has ended.
exec 3<&0
"$@" 3<&- &
program=$!
trap 'kill -TERM $program' TERM
if [ "$owned" = true ]; then
  (read -r line <&3; kill -TERM $program; sleep 5; kill -KILL $program) &
fi
while kill -0 $program 2>/dev/null; do wait $program; done
