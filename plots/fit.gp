# Which allocator fits a recorded program: time for one call against memory
# For replays of traces, which know the most that was live (peak_live_bytes). A floor holds all its memory from
# the start, and is no allocator to choose: it is left out.
array live[rows]
array foot[rows]
array foot_low[rows]
array foot_high[rows]
low(r) = is_number(stat_low[r]) ? stat_low[r] : stat_median[r]
high(r) = is_number(stat_high[r]) ? stat_high[r] : stat_median[r]
array replayed[rows]
metric = 'peak_live_bytes'
eval read_stats
do for [r = 1:rows] { replayed[r] = is_number(stat_median[r]) }
metric = 'live_bytes'
eval read_stats
do for [r = 1:rows] { live[r] = stat_median[r] }
metric = 'footprint_bytes'
eval read_stats
do for [r = 1:rows] { foot[r] = stat_median[r]; foot_low[r] = low(r); foot_high[r] = high(r) }
metric = 'time_ns'
eval read_stats

mib = 1048576.0
# By its name, or by what only a replay by one thread knows: a job file gives it another name.
is_replay(p) = panel_workload[p][1:5] eq 'trace' || (sum [r = panel_first[p]:panel_last[p]] (replayed[r])) > 0
shown(r) = row_kind[r] != FLOOR && is_number(stat_median[r]) && is_number(foot[r])
array drawn_panel[panels]
drawn = 0
do for [p = 1:panels] {
    if (is_replay(p) && (sum [r = panel_first[p]:panel_last[p]] (shown(r))) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p }
}
if (!drawn) { print 'the run has no replay of a trace with both times and footprints'; exit status 77 }

do for [a = 1:arms] { legend_arm[a] = 0 }
array live_of[panels]
array most_ns[panels]
array least_ns[panels]
array most_mib[panels]
do for [k = 1:drawn] {
    p = drawn_panel[k]
    live_of[p] = NaN
    most_ns[p] = 0
    least_ns[p] = 1e300
    most_mib[p] = 0
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) {
        legend_arm[row_arm[r]] = 1
        if (is_number(live[r])) { live_of[p] = live[r] / mib }
        most_ns[p] = maximum(most_ns[p], high(r))
        least_ns[p] = minimum(least_ns[p], low(r))
        most_mib[p] = maximum(most_mib[p], foot_high[r] / mib)
    } }
}
not_shown(p) = missing_of(panel_first[p], panel_last[p])
missing_of(r, last) = r > last ? '' : (shown(r) || row_kind[r] == FLOOR ? '' : ', ' . row_name[r]) . missing_of(r + 1, last)
# arm, MiB and its interval, ns and its interval
read_points = "set print $points; print '0 0 0 0 0 0 0'; \
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { \
        print row_arm[r], foot[r] / mib, foot_low[r] / mib, foot_high[r] / mib, stat_median[r], low(r), high(r) \
    } }; unset print"
arm_x(a) = $1 == a ? $2 : NaN
over(r, p) = is_number(live_of[p]) ? sprintf('%.2f', foot[r] / mib / live_of[p]) . times : ''

# Times that are far apart need a logarithm: else the slowest allocator hides what the others differ by.
FAR = 20
log_of(p) = least_ns[p] > 0 && most_ns[p] > FAR * least_ns[p]
set_times = "if (log_of(p)) { \
        set logscale y; set yrange [least_ns[p] / 1.5:most_ns[p] * 1.5]; set ytics ('1' 1); \
        steps = most_ns[p] / least_ns[p] > 500 ? '1' : '1 2 5'; \
        do for [d = 0:12] { do for [step in steps] { set ytics add (sprintf('%.0f', step * 10.0**d) step * 10.0**d) } } \
    } else { set yrange [0:1.12 * most_ns[p]] }"

headline = 'A recorded program: time for one call, and memory (lower left is better)'

# As text: a line for each allocator.
if (text) {
    unset output
    set print output
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        print cut(title_of(p), 80)
        print sprintf('%-34s %10s %14s %12s', '', 'ns/call', 'peak footprint', 'over live')
        do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) {
            print sprintf('%-34s %10s %10.2f MiB %12s', elide(row_name[r], 34), ns_of(stat_median[r]), foot[r] / mib, over(r, p))
        } }
        print ''
    }
    unset print
    exit status 0
}

plot_w = 270
plot_h = 210
indent = 44
panel_w = indent + plot_w
panel_h = 50 + plot_h + 44
columns = minimum(drawn, 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 640)
legend_live = 'most that was live'
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = sample . '; across: highest footprint of a replay on a fresh heap'
eval open_page
eval draw_legend
eval show_labels
do for [k = 1:drawn] {
    p = drawn_panel[k]
    eval read_points
    left = edge + (k - 1) % columns * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + (k - 1) / columns * panel_h + 50
    heading = title_of(p)
    remark = cut('ns for one call' . (log_of(p) ? ', log scale' : '') . (not_shown(p) eq '' ? '' : '; not measured: ' . substr(not_shown(p), 3, 200)), 64)
    eval open_panel
    set datafile missing NaN
    set xrange [0:1.08 * maximum(most_mib[p], is_number(live_of[p]) ? live_of[p] : 0)]
    eval set_times
    set xlabel 'MiB held from the system at most' font small tc rgb grey offset 0, 0.5
    if (is_number(live_of[p])) {
        set arrow from live_of[p], graph 0 to live_of[p], graph 1 nohead lw 1.8 dt 2 lc rgb ink back
    }
    plot for [a = 1:arms] $points using (arm_x(a)):6:(0):($7 - $6) with vectors nohead lw 1.3 lc rgb arm_colour[a], \
        for [a = 1:arms] $points using ($1 == a ? $3 : NaN):5:($4 - $3):(0) with vectors nohead lw 1.3 lc rgb arm_colour[a], \
        for [a = 1:arms] $points using (arm_x(a)):5 with points pt arm_shape[a] ps 1 lc rgb arm_colour[a]
    unset label
    unset arrow
}
eval close_page
