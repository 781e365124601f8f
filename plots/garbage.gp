# Garbage that is not freed yet, over the run
# The A/A arm and the floors run the baseline's collector once more: left out.
shown(r) = row_garbage[r] > 0 && row_kind[r] != AGAIN && row_kind[r] != FLOOR
candidates = 0
do for [p = 1:panels] { if (of_collectors(p)) {
    candidates = candidates + sum [r = panel_first[p]:panel_last[p]] (shown(r))
} }
if (!candidates) { print 'the run has no garbage over time: no collector was measured with the metric space'; exit status 77 }

# A row of the run: its points in series.csv. Collectors do the same work at different speeds, so each
# one's time is shown as a share of its own run.
in_row(r) = strcol('cell') eq row_cell[r] && column('round') == row_round[r] && strcol('metric') eq 'garbage_objects'
array longest[rows]
array peak[rows]
do for [r = 1:rows] { longest[r] = 1; peak[r] = 0 }
note_point(r, ns, objects) = (longest[r] = maximum(longest[r], ns), peak[r] = maximum(peak[r], objects), ns)
read_panel = "undefine $trace; eval from_csv; \
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { \
        set table $trace append; \
        plot 'series.csv' using (r):(in_row(r) ? note_point(r, column('t_ns'), column('value')) : NaN):(column('value')) \
            every ::row_from[r]::row_to[r] with table if (in_row(r)); \
        unset table \
    } }; \
    eval from_here"
share(r, ns) = minimum(100, 100.0 * ns / longest[r])
arm_x(a) = row_arm[$1] == a ? share($1, $2) : NaN

# A collector that leaves no garbage at all is a word, not a line.
array drawn_panel[panels]
drawn = 0
do for [a = 1:arms] { legend_arm[a] = 0 }
do for [p = 1:panels] { if (of_collectors(p) && (sum [r = panel_first[p]:panel_last[p]] (shown(r)) > 0)) {
    eval read_panel
    if (sum [r = panel_first[p]:panel_last[p]] (shown(r) && peak[r] > 0) > 0) {
        drawn = drawn + 1
        drawn_panel[drawn] = p
        do for [r = panel_first[p]:panel_last[p]] { if (shown(r) && peak[r] > 0) { legend_arm[row_arm[r]] = 1 } }
    }
} }
if (!drawn) { print 'no collector of the run left garbage between two chunks of the work'; exit status 77 }
in_panel(a, p) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a && shown(r) && peak[r] > 0)
list(p, clean) = (words = '', unused = sum [r = panel_first[p]:panel_last[p]] \
    (row_kind[r] != AGAIN && row_kind[r] != FLOOR && (clean ? shown(r) && peak[r] == 0 : !shown(r)) ? \
    (words = words . ', ' . row_name[r], 1) : 0), substr(words, 3, 2000))
of_trend(p, word) = (words = '', unused = sum [r = panel_first[p]:panel_last[p]] \
    (shown(r) && peak[r] > 0 && row_trend[r] eq word ? (words = words . ', ' . row_name[r], 1) : 0), \
    words eq '' ? '' : word . ': ' . substr(words, 3, 2000) . '; ')
note_of(p) = ended(of_trend(p, 'growing') . of_trend(p, 'falling') . of_trend(p, 'stable') . of_trend(p, 'mixed') . \
    of_trend(p, 'not known') . without(p))
ended(s) = strlen(s) > 1 && s[strlen(s) - 1:*] eq '; ' ? s[1:strlen(s) - 2] : s
without(p) = (list(p, 1) eq '' ? '' : 'no garbage: ' . list(p, 1)) . \
    (list(p, 1) ne '' && list(p, 0) ne '' ? '; ' : '') . (list(p, 0) eq '' ? '' : 'not measured: ' . list(p, 0))
points_of(a, p) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a ? row_garbage[r] : 0)

# Peaks that are far apart need a logarithm, which has no zero: that of one object more has.
FAR = 20
greatest(p) = (most = 0, unused = sum [r = panel_first[p]:panel_last[p]] \
    (shown(r) ? (most = maximum(most, peak[r]), 1) : 0), most)
least(p) = (fewest = 1e300, unused = sum [r = panel_first[p]:panel_last[p]] \
    (shown(r) && peak[r] > 0 ? (fewest = minimum(fewest, peak[r]), 1) : 0), fewest)
log_of(p) = greatest(p) > FAR * least(p)
height(p, objects) = log_of(p) ? log10(objects + 1) : objects
tick(v) = v < 1000 ? sprintf('%g', v) : gprintf('%g', real(gprintf('%.9s', 1.0 * v))) . gprintf(' %c', 1.0 * v)
set_axes = "set datafile missing NaN; set xrange [0:100]; set format x '%g %%'; \
    set yrange [0:1.06 * height(p, greatest(p))]; \
    if (log_of(p)) { \
        set ytics ('0' 0); \
        do for [k = (greatest(p) > 1e3):12] { set ytics add (tick(10.0**k) log10(10.0**k + 1)) } \
    } else { set format y '%.0s %c' }"

headline = 'Garbage that is not freed yet, over the run (lower is better)'
if (text) {
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        eval read_panel
        text_h = 22
        title = fold(title_of(p) . ': garbage, objects' . (log_of(p) ? ' + 1, log scale' : ''), 48)
        eval open_text
        eval set_axes
        set key outside right top Left reverse samplen 1 noenhanced
        set xlabel fold(cut(note_of(p), 100), 50) noenhanced
        plot for [a = 1:arms] $trace using (in_panel(a, p) ? arm_x(a) : NaN):(height(p, $3)) with points pt letters[a] \
            title (in_panel(a, p) ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

plot_w = 290
plot_h = 190
indent = 46
panel_w = indent + plot_w
note_lines = 0
do for [k = 1:drawn] { note_lines = maximum(note_lines, lines_in(fold(note_of(drawn_panel[k]), 58))) }
panel_h = 50 + plot_h + 34 + 11 * note_lines
alike = sum [k = 1:drawn] (panel_facet[drawn_panel[k]] == panel_facet[drawn_panel[1]])
columns = minimum(drawn, alike == 2 ? 2 : 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 720)
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = 'objects that the workload does not use any more, between two chunks of the work; one round'
eval open_page
eval draw_legend
eval show_labels
do for [k = 1:drawn] {
    p = drawn_panel[k]
    eval read_panel
    left = edge + (k - 1) % columns * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + (k - 1) / columns * panel_h + 50
    heading = title_of(p)
    remark = log_of(p) ? 'objects + 1, log scale' : 'objects'
    eval open_panel
    eval set_axes
    set label fold(note_of(p), 58) at screen X(left - indent), Y(top + plot_h + 30) left font small tc rgb grey noenhanced
    plot for [a = 1:arms] $trace using (in_panel(a, p) ? arm_x(a) : NaN):(height(p, $3)) \
        with linespoints lw 1.4 dt arm_dash[a] lc rgb arm_colour[a] pt arm_shape[a] ps 0.7 pi maximum(1, points_of(a, p) / 4)
    unset label
}
eval close_page
