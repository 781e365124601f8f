# What all figures share: colours, shapes, fonts, the page, and reading stats.csv.
#
# It is loaded after the variables of the run (harness/report/context.h tells them) and before the figure.
# `format` is svg, png or term, `output` the file. Lengths on a page are in pixels, from its top left.
# Texts of the run are shown as they are: nothing in them is a control character of gnuplot.

if (!rows) { print 'the run has no results'; exit status 77 }

set encoding utf8
text = format eq 'term'

# Okabe and Ito's palette: black is for the baseline, and white paper swallows the yellow. The number of
# colours and that of shapes have no common divisor, so that 30 arms differ.
array palette[6] = [0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9]
array shapes[5] = [5, 9, 13, 11, 15]
failure_ink = 0xD55E00
ink = 0x222222
grey = 0x8C8C8C
pale = 0xE4E4E4

BASELINE = 0
AGAIN = 1
PLAIN = 2
FLOOR = 3

# Arms: black for the baseline, hollow for its second copy, grey for the harness, the palette's next
# colour for each other one.
array arm_colour[arms]
array arm_shape[arms]
array arm_dash[arms]
plain = 0
floors = 0
do for [a = 1:arms] {
    arm_colour[a] = 0x000000
    arm_shape[a] = arm_kind[a] == AGAIN ? 6 : 7
    arm_dash[a] = arm_kind[a] == AGAIN ? 3 : 1
    if (arm_kind[a] == PLAIN) {
        arm_colour[a] = palette[plain % 6 + 1]
        arm_shape[a] = shapes[plain % 5 + 1]
        arm_dash[a] = plain < 6 ? 1 : 2
        plain = plain + 1
    }
    if (arm_kind[a] == FLOOR) {
        arm_colour[a] = grey
        arm_shape[a] = floors % 2 ? 8 : 4
        floors = floors + 1
    }
}

# Words

plural(n, word) = sprintf('%d %s%s', n, word, n == 1 ? '' : 's')
elide(s, n) = strlen(s) <= n ? s : substr(s, 1, n / 2 - 1) . (text ? '..' : '…') . substr(s, strlen(s) - n / 2 + 2, strlen(s))
cut(s, n) = strlen(s) <= n ? s : substr(s, 1, n - 2) . (text ? '..' : '…')
# A text in lines of n characters, broken at blanks.
blank_in(s, n) = n < 1 ? 0 : s[n:n] eq ' ' ? n : blank_in(s, n - 1)
fold(s, n) = strlen(s) <= n ? s : fold_at(s, n, blank_in(s, n + 1))
fold_at(s, n, b) = b ? s[1:b - 1] . "\n" . fold(s[b + 1:*], n) : s[1:n] . "\n" . fold(s[n + 1:*], n)
lines_in(s) = s eq '' ? 0 : strstrt(s, "\n") ? 1 + lines_in(s[strstrt(s, "\n") + 1:*]) : 1
threads_of(p) = plural(panel_threads[p], 'thread') . \
    (cores > 0 && panel_threads[p] > cores ? sprintf(' on %s', plural(cores, 'core')) : '')
facet_of(p) = panel_workload[p] . (panel_under[p] ne '' ? ', ' . panel_under[p] : '') . \
    (panel_on[p] ne '' ? ' on ' . panel_on[p] : '')
# A whole program has threads of its own, which nobody counted.
of_program(p) = panel_threads[p] == 0
title_of(p) = facet_of(p) . (of_program(p) ? '' : ', ' . threads_of(p))
# The work of an object workload, whose collectors and allocators lie in several panels; of those, the panel
# of the collectors on one allocator, or that of the allocators when there is only one collector.
work_of(p) = panel_workload[p] . ', ' . threads_of(p)
same_work(p, q) = panel_workload[p] eq panel_workload[q] && panel_threads[p] == panel_threads[q]
of_objects(p) = panel_on[p] ne '' || panel_under[p] ne ''
of_collectors(p) = panel_on[p] ne '' || (panel_under[p] ne '' && \
    !(sum [q = 1:panels] (panel_on[q] ne '' && same_work(p, q))))
# What the rows of a panel are compared with.
reference_of(p) = panel_baseline[p] ? row_name[panel_baseline[p]] : ''
footer = machine . (cores > 0 ? sprintf(', %s', plural(cores, 'core')) : '') . \
    (date ne '' ? ', ' . substr(date, 1, 10) : '') . (run ne '' ? ', run ' . run : '')
# A count with its prefix, 12.3 M, and a length of time, 12.3 µs.
short(v) = gprintf('%.1s %c', 1.0 * v)
micro = text ? 'us' : 'µs'
time_of(ns) = ns < 1e3 ? sprintf('%.0f ns', ns) : ns < 1e6 ? sprintf('%.3g ', 1e-3 * ns) . micro : \
    ns < 1e9 ? sprintf('%.3g ms', 1e-6 * ns) : sprintf('%.3g s', 1e-9 * ns)
# Three digits of a time for one operation in ns, and of a ratio.
kilo = text ? 'k' : ' k'
ns_of(v) = v < 9.995 ? sprintf('%.2f', v) : v < 99.95 ? sprintf('%.1f', v) : v < 9999.5 ? sprintf('%.0f', v) : \
    v < 99950 ? sprintf('%.1f', 1e-3 * v) . kilo : sprintf('%.0f', 1e-3 * v) . kilo
times = text ? 'x' : '×'
times_of(v) = (v < 9.995 ? sprintf('%.2f', v) : v < 99.95 ? sprintf('%.1f', v) : sprintf('%.0f', v)) . times
is_number(v) = v == v

maximum(a, b) = a > b ? a : b
minimum(a, b) = a < b ? a : b

# Reading: `metric = 'ops_per_second'; eval read_stats` fills these for each row, NaN where the run
# has nothing; `rounds_of` and, with the interval, `sample` say what they are. A row is found by its
# cell's id, in which no backslash may be: gnuplot interprets it.

array stat_median[rows + 1]
array stat_low[rows + 1]
array stat_high[rows + 1]
array stat_ratio[rows + 1]
array stat_ratio_low[rows + 1]
array stat_ratio_high[rows + 1]
array stat_verdict[rows + 1]
array stat_n[rows + 1]
number(name) = strcol(name) eq 'NA' || strcol(name) eq '' ? NaN : column(name)
take_stat(id) = sum [r = 1:rows] (row_cell[r] eq id ? take_row(r) : 0)
take_row(r) = (stat_median[r] = number('median'), stat_low[r] = number('ci_low'), \
    stat_high[r] = number('ci_high'), stat_ratio[r] = number('ratio'), \
    stat_ratio_low[r] = number('ratio_low'), stat_ratio_high[r] = number('ratio_high'), \
    stat_verdict[r] = strcol('verdict'), stat_n[r] = number('n'), 1)
from_csv = "set datafile separator comma; set datafile columnheaders"
from_here = "set datafile separator whitespace; unset datafile columnheaders"
read_stats = "do for [r = 1:rows] { stat_median[r] = NaN; stat_low[r] = NaN; stat_high[r] = NaN; \
    stat_ratio[r] = NaN; stat_ratio_low[r] = NaN; stat_ratio_high[r] = NaN; stat_verdict[r] = ''; \
    stat_n[r] = NaN }; \
    eval from_csv; set table $unused; \
    plot 'stats.csv' using (strcol('metric') eq metric ? take_stat(strcol('cell')) : 0) with table; \
    unset table; eval from_here; \
    fewest = 1e9; most_rounds = 0; intervals = 0; \
    do for [r = 1:rows] { if (is_number(stat_n[r])) { \
        fewest = minimum(fewest, stat_n[r]); most_rounds = maximum(most_rounds, stat_n[r]); \
        intervals = intervals || is_number(stat_low[r]) \
    } }; \
    rounds_of = 'median of n = ' . (fewest < most_rounds ? sprintf('%d to ', fewest) : '') . \
        plural(most_rounds, 'round'); \
    sample = rounds_of . (intervals ? sprintf(' with its %.4g %% interval', 100 * confidence) : ', too few for an interval')"

# The page: `page_w = ..; page_h = ..; title = ..; subtitle = ..; eval open_page` writes the title and
# the footer. Labels may follow, until `eval show_labels`. The panels lie between y = head_h and
# page_h - foot_h. `eval close_page` ends.

head_h = 58
foot_h = 30
edge = 18
X(px) = 1.0 * px / page_w
Y(px) = 1 - 1.0 * px / page_h
# Width of a text in the panels' size, on the safe side.
width_of(s) = 6.4 * strlen(s)
# A font of a size in pixels: cairo counts in points.
font_of(px) = sprintf(',%g', format eq 'png' ? 0.75 * px : px)
small = font_of(9.5)

# Bold text is the only enhanced one, so what enhanced text interprets is escaped.
letter(c) = (strstrt('_^@&~{}\', c) ? '\' : '') . c
escape(s) = s eq '' ? '' : letter(s[1:1]) . escape(s[2:*])
bold(s) = '{/:Bold ' . escape(s) . '}'

open_page = "if (format eq 'svg') { \
        set term svg size page_w, page_h font 'DejaVu Sans,11' background '#ffffff' enhanced \
    } else { \
        set term pngcairo size 2 * page_w, 2 * page_h font 'DejaVu Sans,8.25' fontscale 2 linewidth 2 \
            pointscale 2.8 background '#ffffff' enhanced \
    }; \
    set output output; \
    set multiplot; \
    unset key; unset tics; unset border; \
    set margins 0, 0, 0, 0; set xrange [0:1]; set yrange [0:1]; \
    set label bold(title) at screen X(edge), Y(22) left font font_of(15) tc rgb ink enhanced; \
    set label subtitle at screen X(edge), Y(44) left tc rgb ink noenhanced; \
    set label footer at screen X(edge), Y(page_h - 14) left font small tc rgb grey noenhanced"
show_labels = "plot 2 notitle; unset label; unset arrow"
close_page = "unset multiplot; unset output"

# The legend: arms with legend_arm[a] = 1 get a line and a point, below the head; legend_h is how high
# that is once page_w is known.
# legend_live, if not empty, names a dashed line.
array legend_arm[arms]
legend_live = ''
legend_x = "x = edge + entry % legend_columns * legend_entry; y = head_h + 8 + entry / legend_columns * 17"
legend_w = "legend_entry = 0; legend_count = 0; do for [a = 1:arms] { if (legend_arm[a]) { \
        legend_entry = maximum(maximum(legend_entry, width_of(legend_live) + 44), width_of(elide(arm_name[a], 34)) + 44); \
        legend_count = legend_count + 1 \
    } }; \
    legend_columns = maximum(1, int((page_w - 2 * edge) / legend_entry)); \
    legend_h = (legend_count + (legend_live ne '') + legend_columns - 1) / legend_columns * 17"
draw_legend = "entry = 0; do for [a = 1:arms] { if (legend_arm[a]) { \
        eval legend_x; \
        set arrow from screen X(x), Y(y) to screen X(x + 26), Y(y) nohead lw 1.5 dt arm_dash[a] lc rgb arm_colour[a]; \
        set label elide(arm_name[a], 34) at screen X(x + 13), Y(y) left offset 2.6, -0.1 point pt arm_shape[a] ps 0.8 \
            lc rgb arm_colour[a] tc rgb ink noenhanced; \
        entry = entry + 1 \
    } }; \
    if (legend_live ne '') { \
        eval legend_x; \
        set arrow from screen X(x), Y(y) to screen X(x + 26), Y(y) nohead lw 1.8 dt 2 lc rgb ink; \
        set label legend_live at screen X(x + 13), Y(y) left offset 3.4, -0.1 tc rgb ink noenhanced \
    }"

# A heading in bold, no wider than its panel and some of the gap to the next.
head_of(s, px) = bold(elide(s, int((px + 10) / 7.1)))

# A panel: `left, top, plot_w, plot_h` are what its axes span. `heading` stands above it, and `remark`
# under the heading, from x = left - indent.
open_panel = "reset; unset key; eval from_here; \
    set lmargin at screen X(left); set rmargin at screen X(left + plot_w); \
    set tmargin at screen Y(top); set bmargin at screen Y(top + plot_h); \
    set border 1 lw 0.6 lc rgb grey; \
    set tics nomirror scale 0.4 tc rgb ink font small noenhanced; \
    set grid lt 1 lw 0.5 lc rgb pale; \
    set style textbox opaque noborder fc rgb 0xFFFFFF margins 0.5, 0.5; \
    set label head_of(heading, exists('panel_w') ? panel_w : indent + plot_w) at screen X(left - indent), Y(top - 30) left font font_of(12) tc rgb ink enhanced; \
    set label remark at screen X(left - indent), Y(top - 15) left font small tc rgb grey noenhanced"

# As text: `text_h = lines; title = ..; eval open_text` begins a chart, 80 columns wide.
open_text = "reset; unset key; eval from_here; \
    if (colour) { set term dumb size 80, text_h ansi256 } else { set term dumb size 80, text_h mono }; \
    set border 1; set tics nomirror scale 0; set title title noenhanced"
if (text) { set output output }
# The points of arms.
array letters[arms]
do for [a = 1:arms] { k = (a - 1) % 52 + 1; letters[a] = substr('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', k, k) }
