# Ends what `cargo xtask test` started, in whatever way that command itself ends: it reads orders
# from a pipe, and the end of the pipe is the end of the command, be it by itself, by Ctrl-C or by
# a SIGKILL. Runs in a process group of its own and ignores what is meant for the others.
#
# Orders: "started PID" and "ended PID", where PID leads a session (or, without setsid, a process
# group). First argument: the folder in which to make the folder of this run.
trap '' HUP INT QUIT TERM PIPE

directory=$(mktemp -d "$1/ticketbridge.XXXXXX") || exit 1
chmod 711 "$directory" || exit 1
echo "$directory"
exec >&2

# What still runs of the session $1, in the form that kill understands.
members() {
    if [ -r /proc/self/stat ]; then
        sed -n "s/^\([0-9]*\) (.*) [^XZ] [0-9]* [0-9]* $1 .*/\1/p" /proc/[0-9]*/stat 2>/dev/null
    elif kill -0 "-$1" 2>/dev/null; then
        echo "-$1"
    fi
}

# Waits at most $2 tenths of a second for the session $1 to be empty.
settled() {
    tenths=$2
    while [ -n "$(members "$1")" ]; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# The list of processes is split into words on purpose.
# shellcheck disable=SC2046
force() {
    kill -TERM $(members "$1") 2>/dev/null
    settled "$1" 50 && return
    kill -KILL $(members "$1") 2>/dev/null
    settled "$1" 20
}

# The interrupt first: a fast shutdown for PostgreSQL, an orderly cancel for the test runner.
stop() {
    settled "$1" 0 && return
    kill -INT "-$1" 2>/dev/null
    settled "$1" 50 || force "$1"
}

report() {
    for pid in $(members "$1"); do
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        echo "xtask: still running although its parent has ended, stopping it: $name ($pid)"
    done
}

open=
while read -r order leader; do
    case $order in
    started)
        open="$leader $open"
        ;;
    ended)
        settled "$leader" 5 || { report "$leader"; force "$leader"; }
        others=
        for other in $open; do
            [ "$other" = "$leader" ] || others="$others $other"
        done
        open=$others
        ;;
    esac
done

# The latest first: the suite before the servers that it uses.
for leader in $open; do
    stop "$leader"
done
rm -rf "$directory"
