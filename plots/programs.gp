# Wall time, processor time and peak memory of whole programs, relative to the baseline
METRICS = 3
array metric_name[METRICS] = ['wall_ns', 'cpu_ns', 'peak_rss_bytes']
array metric_title[METRICS] = ['wall time', 'processor time', 'peak memory']
amount(k, v) = k < 3 ? time_of(v) : sprintf(v < 10485760 ? '%.1f MiB' : '%.0f MiB', v / 1048576)

# One row of each metric after the other: that of row r and metric k stands at (k - 1) * rows + r.
array all_ratio[METRICS * rows]
array all_low[METRICS * rows]
array all_high[METRICS * rows]
array all_median[METRICS * rows]
array all_mark[METRICS * rows]
at(k, r) = (k - 1) * rows + r
BETTER = 1
WORSE = 2
UNDECIDED = 3
SECOND = 4
FIRST = 5
mark(r) = row_kind[r] == BASELINE ? FIRST : row_kind[r] == AGAIN ? SECOND : \
    stat_verdict[r] eq 'faster' ? BETTER : stat_verdict[r] eq 'slower' ? WORSE : UNDECIDED
ratio(r) = row_kind[r] == BASELINE && is_number(stat_median[r]) ? 1 : stat_ratio[r]
whole(r, v) = row_kind[r] != BASELINE && is_number(v) ? v : ratio(r)
least = 0.95
most = 1.05
measured = 0
do for [k = METRICS:1:-1] { # the first one's rounds are told
    metric = metric_name[k]
    eval read_stats
    do for [r = 1:rows] {
        all_ratio[at(k, r)] = ratio(r)
        all_low[at(k, r)] = whole(r, stat_ratio_low[r])
        all_high[at(k, r)] = whole(r, stat_ratio_high[r])
        all_median[at(k, r)] = stat_median[r]
        all_mark[at(k, r)] = mark(r)
        measured = measured + (k == 1 && is_number(ratio(r)))
        if (is_number(ratio(r))) {
            least = minimum(least, all_low[at(k, r)])
            most = maximum(most, all_high[at(k, r)])
        }
    }
}
programs = sum [p = 1:panels] of_program(p)
if (!programs || !measured) { print 'the run is not of whole programs (heapmark exec)'; exit status 77 }

digits(v) = v < 0.1 ? '%.3f' : v < 9.995 ? '%.2f' : '%.1f'
value_of(k, r) = is_number(all_ratio[at(k, r)]) ? sprintf(digits(all_ratio[at(k, r)]), all_ratio[at(k, r)]) . times : ''
name_of(r) = elide(row_name[r], text ? 20 : 26)
note_of(k, r) = is_number(all_ratio[at(k, r)]) || k > 1 ? '' : row_failure[r] ne '' ? row_failure[r] : 'not measured'
program_of(p) = panel_workload[p][1:5] eq 'exec:' ? panel_workload[p][6:*] : panel_workload[p]
base_of(k, p) = panel_baseline[p] && is_number(all_median[at(k, panel_baseline[p])]) ? \
    amount(k, all_median[at(k, panel_baseline[p])]) : ''
lines(p) = panel_last[p] - panel_first[p] + 1

# The axis is the same in all panels.
near = least > 0.72 && most < 1.39
least = near ? minimum(least / 1.02, 0.88) : least / 1.1
most = near ? maximum(most * 1.02, 1.14) : most * 1.1
span = log(most / least) / log(2)
step = span > 4 ? 4.0 : span > 2.5 ? 2.0 : sqrt(2.0)
tick(v) = (v < 0.4 ? sprintf('1/%.2g', 1 / v) : sprintf('%.2g', v)) . times
set_axis = "set logscale x 2; set xrange [least:most]; \
    if (near) { \
        set xtics (tick(0.8) 0.8, tick(0.9) 0.9, tick(1) 1, tick(1.1) 1.1, tick(1.25) 1.25) \
    } else { \
        set xtics (tick(1) 1); \
        do for [i = 1:10] { set xtics add (tick(step**i) step**i, tick(step**-i) step**-i) } \
    }"
read_panel = "set print $panel; print '# line ratio low high mark'; \
    do for [r = panel_first[p]:panel_last[p]] { \
        if (is_number(all_ratio[at(k, r)])) { \
            print r - panel_first[p] + 1, all_ratio[at(k, r)], all_low[at(k, r)], all_high[at(k, r)], all_mark[at(k, r)] \
        } \
    }; \
    print 0, 1, 1, 1, 0; unset print"

# As text, the time and the memory of one program after the other.
if (text) {
    do for [p = 1:panels] { do for [k = 1:METRICS:2] {
        title = program_of(p) . ': ' . metric_title[k] . ' relative to ' . reference_of(p)
        text_h = lines(p) + 6
        eval open_text
        eval set_axis
        eval read_panel
        set lmargin 24; set rmargin 8
        set yrange [lines(p) + 0.5:0.5]
        set ytics (' ' 1)
        do for [r = panel_first[p]:panel_last[p]] {
            y = r - panel_first[p] + 1
            set ytics add (name_of(r) y) noenhanced
            set label value_of(k, r) at graph 1, first y offset 1, 0 noenhanced
            set label cut(note_of(k, r), 44) at first 1, first y offset 2, 0 noenhanced
        }
        set arrow from 1, graph 0 to 1, graph 1 nohead
        plot $panel using 3:1:($4 - $3):(0) with vectors nohead lt 2, \
            $panel using ($5 == SECOND ? $2 : NaN):1 with points pt 'o', \
            $panel using ($5 > 0 && $5 != SECOND ? $2 : NaN):1 with points pt '*'
    } }
    exit status 0
}

name_w = 0
do for [r = 1:rows] { name_w = maximum(name_w, width_of(name_of(r)) + 10) }
value_w = 48
plot_w = 200
line_h = 18
panel_head = 50
panel_foot = 30
column_w = plot_w + value_w
page_w = 2 * edge + name_w + METRICS * column_w
page_h = head_h + 22 + (sum [p = 1:panels] (panel_head + lines(p) * line_h + panel_foot)) + foot_h

title = 'Whole programs, relative to the baseline (lower is better)'
subtitle = sample . '; log scale; beside each metric, what the baseline takes'
eval open_page
array mark_name[5] = ['faster, or smaller', 'slower, or larger', 'no difference shown', 'the baseline again', 'the baseline']
array mark_shape[5] = [9, 11, 7, 6, 7]
array mark_colour[5] = [0x0072B2, 0xD55E00, grey, ink, ink]
x = edge + 6
do for [m = 1:5] {
    set label mark_name[m] at screen X(x), Y(64) left offset 0.9, -0.1 point pt mark_shape[m] ps 0.8 lc rgb mark_colour[m] tc rgb ink noenhanced
    x = x + width_of(mark_name[m]) + 30
}
eval show_labels

top = head_h + 22
do for [p = 1:panels] {
    top = top + panel_head
    plot_h = lines(p) * line_h
    do for [k = 1:METRICS] {
        left = edge + name_w + (k - 1) * column_w
        indent = k == 1 ? name_w : 0
        panel_w = column_w
        heading = k == 1 ? program_of(p) : ''
        remark = ''
        eval open_panel
        set label metric_title[k] . (base_of(k, p) eq '' ? '' : ', ' . base_of(k, p)) at screen X(left), Y(top - 12) left font small tc rgb grey noenhanced
        eval set_axis
        eval read_panel
        set yrange [lines(p) + 0.5:0.5]
        set ytics 1, 1, lines(p) scale 0 format ''
        do for [r = panel_first[p]:panel_last[p]] {
            y = r - panel_first[p] + 1
            if (k == 1) { set label name_of(r) at graph 0, first y right offset -1, 0 tc rgb ink noenhanced }
            set label value_of(k, r) at graph 1, first y left offset 0.8, 0 tc rgb ink noenhanced
            if (note_of(k, r) ne '') {
                set label cut(note_of(k, r), 60) at graph 0, first y left offset 1, 0 font small tc rgb failure_ink noenhanced boxed front
            }
        }
        set arrow from 1, graph 0 to 1, graph 1 nohead lw 1 lc rgb ink back
        plot $panel using 3:1:($4 - $3):(0) with vectors nohead lw 1.6 lc rgb ink, \
            for [m = 1:5] $panel using ($5 == m ? $2 : NaN):1 with points pt mark_shape[m] ps 0.8 lw 1.4 lc rgb mark_colour[m]
        unset label
        unset arrow
    }
    top = top + plot_h + panel_foot
}
eval close_page
