"""The shell script that watches over a session on a target, as long as it is held open.

It takes the device for one session, makes the session's folder, and takes away the session's
processes and its folder when it is told to, when its input ends, or when nothing was heard for too
long: whatever becomes of the connection, nothing is left. It is written in what dash, busybox and
mksh with toybox have in common, and without backslashes, which login shells read differently.
"""

from __future__ import annotations

# Begins each command of a session, so that the guardian finds what runs for it: by the variable,
# and where grep stops at a NUL, as busybox's does, by the folder that it was started in. Temporary
# files go with the session. ONNX Runtime would keep a number of the device and what it met with in
# the user's home, and send it.
SESSION = (
    "export LAMA_EDGE_SESSION={folder}: TMPDIR={folder}/tmp "
    "ORT_DISABLE_TELEMETRY=${{ORT_DISABLE_TELEMETRY-1}} && "
    "cd {folder}/empty && "
)

# Arguments: the folder to make the session's in, the lock, and for how many seconds to wait for
# words. Answers are one a line: "folder PATH" or "busy" or "failed WHY" at first, then one to each
# word that it reads: "beat", "stop" (end the processes, keep the folder), any other or the end.
GUARDIAN = """
trap "" HUP PIPE
umask 077
home=$1 lock=$2 patience=$3 made=

fail() {
    echo "failed $*"
    exit 1
}

running() {
    grep -lsF "LAMA_EDGE_SESSION=$1:" /proc/[0-9]*/environ
    for process in /proc/[0-9]*; do
        for place in empty ended; do
            [ "$process/cwd" -ef "$1/$place" ] && echo "$process/environ"
        done
    done
}

end_all() {
    tries=0
    while [ $tries -lt 100 ]; do
        found=$(running "$1")
        [ -n "$found" ] || break
        for process in $found; do
            process=${process#/proc/}
            kill -9 "${process%/environ}" 2>/dev/null
        done
        sleep 0.1 2>/dev/null || sleep 1
        tries=$((tries + 1))
    done
}

remove() {
    # A program that begins at this moment is found here, or does not get in any more.
    mv "$1/empty" "$1/ended"
    end_all "$1"
    rm -rf "$1"
}

finish() {
    remove "$folder"
    [ -z "$made" ] || rmdir "$home"
    rm -f "$lock"
} 2>/dev/null

take_lock() {
    while command -v flock >/dev/null; do
        [ -e "$lock" ] || (umask 022 && : >"$lock") 2>/dev/null
        [ -r "$lock" ] || fail "$lock cannot be made there"
        exec 9<"$lock"
        flock -n 9 9<&9 || { echo busy; exit 1; }
        # Another session may have removed it, and a third one made it anew, since it was opened.
        [ "$lock" -ef /proc/self/fd/9 ] && return
    done
    until ln -s $$ "$lock" 2>/dev/null; do
        [ -L "$lock" ] || fail "$lock cannot be made there"
        grep -qs lama-edge-guardian "/proc/$(readlink "$lock")/cmdline" && { echo busy; exit 1; }
        rm -f "$lock"
    done
}

[ -r /proc/self/environ ] || fail "it has no /proc: Linux and Android can be measured"
case $home in "~/"*) home=$HOME/${home#"~/"} ;; esac
take_lock
[ -d "$home" ] || made=yes
why=$(mkdir -p "$home" 2>&1) || { rm -f "$lock"; fail "$why"; }
home=$(cd "$home" && pwd)
# Homes may be shared between devices, and sessions of one that was switched off are nobody's.
session=$home/lama-edge-$(uname -n)-
for folder in "$session"*; do
    [ ! -d "$folder" ] || remove "$folder" 2>/dev/null
done
folder=$session$$
why=$(mkdir "$folder" "$folder/empty" "$folder/tmp" 2>&1) || { finish; fail "$why"; }

(
    trap : USR1
    trap 'kill $nap; exit' TERM
    echo "folder $folder"
    exec >/dev/null 2>&1
    while :; do
        sleep "$patience" 9<&- &
        nap=$!
        wait $nap && break
        kill $nap
    done
    finish
    kill -9 $$
) &
watch=$!

while read -r word; do
    case $word in
    beat) kill -USR1 $watch ;;
    stop) end_all "$folder" ;;
    *) break ;;
    esac
    echo "$word"
done
kill $watch
wait $watch
finish
echo end
"""
