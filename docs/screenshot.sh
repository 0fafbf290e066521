#!/usr/bin/env bash
# Makes img.png: a server and three clients in a terminal, chatting for real.
#
# Needs xvfb, rxvt-unicode, tmux, imagemagick, fonts-dejavu-core, fonts-noto-cjk and fonts-symbola (Debian's names), and
# port 8080 of this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

picture=${1:-img.png}
# What the panes run; other commands of the same manners can stand in while this script is worked on.
server=${SCREENSHOT_SERVER:-cargo run --quiet --bin server}
client=${SCREENSHOT_CLIENT:-cargo run --quiet --bin client --}
deadline=30

fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  hint: %s\n' "$2" >&2
    exit 1
}

for program in Xvfb urxvt tmux import convert; do
    command -v "$program" >/dev/null || fail "$program is not installed" \
        'apt-get install xvfb rxvt-unicode tmux imagemagick fonts-dejavu-core fonts-noto-cjk fonts-symbola'
done
if (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; then
    fail 'port 8080 is taken, and the picture shows the default address' 'stop what listens there'
fi
# Beforehand, so that no pane shows a build.
[ -n "${SCREENSHOT_SERVER:-}" ] || cargo build --quiet --bins

work=$(mktemp --directory)
xvfb='' terminal=''
tmux() { command tmux -S "$work/tmux" "$@"; }
clean_up() {
    tmux kill-server 2>/dev/null || true
    [ -z "$terminal" ] || kill "$terminal" 2>/dev/null || true
    [ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# Waits until "$@" succeeds; the pauses only keep the machine free.
until_true() {
    local what=$1 end=$((SECONDS + deadline))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            for pane in 0 1 2 3; do printf -- '--- pane %s\n%s\n' "$pane" "$(tmux capture-pane -p -t "chat:0.$pane" 2>&1 || true)"; done >&2
            fail "waited $deadline s for $what"
        fi
        sleep 0.05
    done
}

# shows PANE TEXT: whether the pane has TEXT on its screen, wrapped lines joined.
shows() { tmux capture-pane -p -J -t "chat:0.$1" | grep -qF -- "$2"; }
# types PANE TEXT: presses the keys of TEXT and Enter.
types() {
    tmux send-keys -t "chat:0.$1" -l -- "$2"
    tmux send-keys -t "chat:0.$1" Enter
}
# says TEXT PANE OTHER...: types TEXT in PANE and waits until all of these have it; TEXT fits one row.
says() {
    local text=$1
    shift
    types "$1" "$text"
    for pane in "$@"; do until_true "\"$text\" in pane $pane" shows "$pane" ": $text"; done
}

# The server picks a free display and tells its number.
Xvfb -displayfd 3 -screen 0 1400x900x24 -nolisten tcp 3>"$work/display" 2>"$work/xvfb.log" &
xvfb=$!
until_true 'a display' test -s "$work/display"
DISPLAY=:$(tr -d '[:space:]' <"$work/display")
export DISPLAY

cat >"$work/tmux.conf" <<'CONF'
set -g default-terminal "tmux-256color"
set -ga terminal-overrides ",rxvt-unicode-256color:Tc"
set -g status off
set -g pane-border-status top
set -g pane-border-format " #{@who} "
set -g pane-border-style "fg=#7b88a1"
set -g pane-active-border-style "fg=#7b88a1"
set -g escape-time 0
set -g allow-rename off
CONF
# A shell whose prompt is `$ ` and that leaves no traces.
# A history of its own, so that the picture begins where the chat does.
shell="env -u HISTFILE LC_ALL=C.UTF-8 CHAT_DB=:memory: XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config PS1='\$ ' NO_AT_BRIDGE=1 bash --norc --noprofile"

command tmux -S "$work/tmux" -f "$work/tmux.conf" new-session -d -s chat -x 136 -y 28 "$shell"
# Unlike xterm it takes what one font does not have from the next.
urxvt -fn 'xft:DejaVu Sans Mono:size=11,xft:Noto Sans Mono CJK SC:size=12,xft:Symbola:size=13' -letsp -1 \
    -bg '#1c2128' -fg '#d8dee9' -cr '#d8dee9' -b 8 +sb -geometry 136x28+0+0 -tn rxvt-unicode-256color \
    -e tmux -S "$work/tmux" attach -t chat 2>"$work/urxvt.log" &
terminal=$!
attached() { tmux list-clients | grep -q .; }
until_true 'the terminal' attached

# 0 server, 1 ada on the left; 2 bob, 3 mei on the right.
tmux split-window -h -t chat:0.0 "$shell"
tmux split-window -v -t chat:0.0 "$shell"
tmux split-window -v -t chat:0.2 "$shell"
tmux resize-pane -t chat:0.0 -y 5
titles=(server ada bob mei)
for pane in 0 1 2 3; do
    # Not the title of the pane: that is what the client says is unread.
    tmux set-option -p -t "chat:0.$pane" @who "${titles[$pane]}"
    until_true "a prompt in pane $pane" shows "$pane" '$'
done

types 0 "$server"
until_true 'the server to listen' shows 0 'listening on ws://127.0.0.1:8080'
for pane in 1 2 3; do
    types "$pane" "$client --nick ${titles[$pane]}"
    # Everyone who is there sees that somebody comes: then it is the next one's turn.
    for other in $(seq 1 "$pane"); do until_true "${titles[$pane]} in pane $other" shows "$other" "$pane here"; done
done

types 1 '/topic release day'
until_true 'the topic' shows 3 'release day'
says 'good morning, who is around? 👋' 1 2 3
says 'morning ada, coffee in hand' 2 1 3
says 'the tests are green since last night' 2 1 3
says '早上好 ada, here too' 3 1 2
says 'ada: notes are up: https://example.org/0.2' 2 1 3
says 'thanks bob! `cargo install --path .` works' 1 2 3
says 'bob: shall we ship it at two?' 3 1 2
# Ada and mei have another room, and ada looks away from it.
for pane in 3 1; do
    types "$pane" '/join rust'
    until_true "the room of pane $pane" shows "$pane" '─ #rust'
done
says 'who reviews `wire::clean`?' 1 3
says 'on it' 3 1
tmux send-keys -t chat:0.1 M-1
until_true 'the lobby of ada' shows 1 '─ #lobby'
says 'ada: done, two remarks 👍' 3
until_true 'the mention in the other room' shows 1 '2 #rust 1!'
says 'two it is 🚀' 2 1
tmux send-keys -t chat:0.1 -l -- 'see you then, bob'
until_true 'what ada types' shows 1 '> see you then, bob'

# What the panes show is what the window shows once the terminal has drawn it: wait for two pictures that are equal.
grab() { import -window root "$1"; }
drawn() {
    grab "$work/now.png"
    [ -f "$work/before.png" ] && cmp -s <(convert "$work/before.png" rgb:-) <(convert "$work/now.png" rgb:-) && return
    mv "$work/now.png" "$work/before.png"
    return 1
}
tmux select-pane -t chat:0.1
until_true 'a picture that stays' drawn
convert "$work/now.png" -bordercolor '#000000' -fuzz 1% -trim +repage -strip -colors 128 \
    -define png:compression-level=9 PNG8:"$work/img.png"
size=$(stat --format=%s "$work/img.png")
[ "$size" -lt 300000 ] || fail "the picture has $size bytes; the maximum is 300,000"
mv "$work/img.png" "$picture"
printf '%s: %s, %s bytes\n' "$picture" "$(identify -format '%wx%h' "$picture")" "$size"
