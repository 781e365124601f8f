# Footprint over the run, and live bytes
# A floor holds all its memory from the start, which says nothing of an allocator: it is left out.
shown(r) = row_round[r] >= 0 && row_kind[r] != FLOOR
array drawn_panel[panels]
drawn = 0
do for [p = 1:panels] {
    if (sum [r = panel_first[p]:panel_last[p]] (shown(r)) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p }
}
if (!drawn) { print 'the run has no footprint over time (it was run without the metric space)'; exit status 77 }

do for [a = 1:arms] { legend_arm[a] = 0 }
do for [r = 1:rows] { if (shown(r)) { legend_arm[row_arm[r]] = 1 } }

# What the rows of a panel have in series.csv: row, live or footprint, number of the point, bytes. Arms do the
# same work at different speeds, and are looked at after equal parts of it: so what is shown across is the
# share of the work that is done.
LIVE = 1
FOOTPRINT = 2
which(metric) = metric eq 'live_bytes' ? LIVE : metric eq 'footprint_bytes' ? FOOTPRINT : 0
in_row(r) = strcol('cell') eq row_cell[r] && column('round') == row_round[r] && which(strcol('metric')) > 0
array looks[rows]
array looks_live[rows]
look(r, m) = m == LIVE ? (looks_live[r] = looks_live[r] + 1, looks_live[r] - 1) : (looks[r] = looks[r] + 1, looks[r] - 1)
read_panel = "undefine $trace; eval from_csv; \
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { \
        looks[r] = 0; \
        looks_live[r] = 0; \
        set table $trace append; \
        plot 'series.csv' every ::row_from[r]::row_to[r] using (r):(which(strcol('metric'))): \
            (look(r, which(strcol('metric')))):(column('value')) with table if (in_row(r)); \
        unset table \
    } }; \
    eval from_here"
mib = 1048576.0
share(r, at) = 100.0 * at / maximum(1, looks[r] - 1)
live_x(p) = $1 == live_row(p) && $2 == LIVE ? share($1, $3) : NaN
arm_x(a) = row_arm[$1] == a && $2 == FOOTPRINT ? share($1, $3) : NaN
# Every arm does the same work, so one arm's live bytes stand for all: the baseline's, where it has them.
live_row(p) = first_shown(panel_first[p], panel_last[p])
first_shown(r, last) = r >= last || shown(r) ? r : first_shown(r + 1, last)
not_shown(p) = missing_of(panel_first[p], panel_last[p])
in_panel(a, p) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a && shown(r))
missing_of(r, last) = r > last ? '' : (shown(r) || row_kind[r] == FLOOR ? '' : ', ' . row_name[r]) . missing_of(r + 1, last)

headline = 'Footprint over the run (lower is better), and live bytes'

if (text) {
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        eval read_panel
        text_h = 22
        title = title_of(p) . ': MiB over the run'
        eval open_text
        set key outside right top Left reverse samplen 1 noenhanced
        set yrange [0:*]
        set xrange [0:100]
        set format x '%g %%'
        plot $trace using (live_x(p)):($4 / mib) with points pt '.' title 'live bytes', \
            for [a = 1:arms] $trace every 5 using (arm_x(a)):($4 / mib) \
                with points pt letters[a] title (in_panel(a, p) ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

plot_w = 290
plot_h = 190
indent = 40
panel_w = indent + plot_w
panel_h = 50 + plot_h + 32
alike = sum [k = 1:drawn] (panel_facet[drawn_panel[k]] == panel_facet[drawn_panel[1]])
columns = minimum(drawn, alike == 2 ? 2 : 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 640)
legend_live = 'live bytes (baseline)'
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = 'resident bytes that came since the heap was opened, by the share of the work that is done; one round'
eval open_page
eval draw_legend
eval show_labels
do for [k = 1:drawn] {
    p = drawn_panel[k]
    eval read_panel
    left = edge + (k - 1) % columns * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + (k - 1) / columns * panel_h + 50
    heading = title_of(p)
    remark = cut('MiB' . (not_shown(p) eq '' ? '' : '; not measured: ' . substr(not_shown(p), 3, 200)), 64)
    eval open_panel
    set datafile missing NaN
    set xrange [0:100]
    set format x '%g %%'
    set yrange [0:*]
    plot for [a = 1:arms] $trace using (arm_x(a)):($4 / mib) \
            with linespoints lw 1.4 dt arm_dash[a] lc rgb arm_colour[a] pt arm_shape[a] ps 0.7 pi 40, \
        $trace using (live_x(p)):($4 / mib) with lines lw 1.8 dt 2 lc rgb ink
    unset label
}
eval close_page
