# Sizes, lifetimes and live bytes of workloads' blocks, as `heapmark census` counted them
#
# One strip for each workload from `first` to `last` (harness/census/show.h tells the variables): a bar
# for each power of two, as a share of the blocks and, as a line, of their bytes; and the live bytes over
# the whole run, from their least to their most in each interval.

if (text) { print 'a census is not drawn as text'; exit status 77 }

single = first == last
plot_w = single ? 290 : 132
plot_h = single ? 190 : 52
indent = 40
gap = single ? 36 : 22
panel_w = indent + plot_w
strip_w = 3 * panel_w + 2 * gap - (single ? 0 : 24)
strip_h = plot_h + (single ? 86 : 58)
strips = last - first + 1
columns = minimum(strips, 2)
lines = (strips + columns - 1) / columns
page_w = maximum(2 * edge + columns * strip_w + (columns - 1) * 30, 640)
page_h = head_h + lines * strip_h + foot_h + 8

strip_of(w) = work_name[w] . (work_note[w] ne '' ? ', ' . work_note[w] : '') . \
    (work_threads[w] > 1 ? ', ' . plural(work_threads[w], 'thread') : '')
title = single ? strip_of(first) . ': sizes and lifetimes of blocks' : 'Sizes and lifetimes of blocks, workload by workload'
subtitle = single ? 'bars: share of the blocks; line: share of their bytes' : \
    'each: size, and bytes allocated during a life (bars: share of the blocks; line: of their bytes); live bytes over the run, from the end of the set-up (dashed)'

# Powers of two: the place of a bar, and what stands below it. Nothing at all has a bar of its own.
place(v) = v < 1 ? -2 : int(log(v) / log(2) + 1e-9)
size_name(k) = k < -1 ? '0' : k < 10 ? sprintf('%d', 2 ** k) : k < 20 ? sprintf('%dK', 2 ** (k - 10)) : \
    k < 30 ? sprintf('%dM', 2 ** (k - 20)) : sprintf('%dG', 2 ** (k - 30))
kib = 1024.0
unit_of(v) = v < kib ? 1.0 : v < kib ** 2 ? kib : v < kib ** 3 ? kib ** 2 : kib ** 3
unit_name(v) = v < kib ? 'bytes' : v < kib ** 2 ? 'KiB' : v < kib ** 3 ? 'MiB' : 'GiB'

# $bars: place, share of blocks, share of bytes, each in percent.
sum_blocks = 0.0
sum_bytes = 0.0
array bar_blocks[80]
array bar_bytes[80]
add_bar(k) = (bar_blocks[k + 3] = bar_blocks[k + 3] + column('blocks'), \
    bar_bytes[k + 3] = bar_bytes[k + 3] + column('bytes'), \
    sum_blocks = sum_blocks + column('blocks'), sum_bytes = sum_bytes + column('bytes'), 0)
read_bars = "undefine $bars; sum_blocks = 0.0; sum_bytes = 0.0; \
    do for [k = 1:80] { bar_blocks[k] = 0.0; bar_bytes[k] = 0.0 }; \
    if (hist_to[w] >= hist_from[w]) { \
        eval from_csv; set table $unused; \
        plot 'census_histogram.csv' every ::hist_from[w]::hist_to[w] \
            using (strcol('quantity') eq quantity ? add_bar(place(column('low'))) : 0) with table; \
        unset table; eval from_here \
    }; \
    least = 80; most = -3; \
    do for [k = 1:80] { if (bar_blocks[k] > 0) { least = minimum(least, k - 3); most = maximum(most, k - 3) } }"

# The share that a bar stands for, in percent; the place of element i of an array is i - 3.
share_of(v, sum) = 100.0 * v / sum
drawn(k) = sum_bytes > 0 && k >= least - 1 && k <= most + 1
draw_bars = "eval open_panel; \
    if (sum_blocks > 0) { \
        high = 0.0; \
        do for [k = 1:80] { high = maximum(high, share_of(bar_blocks[k], sum_blocks)); \
            if (sum_bytes > 0) { high = maximum(high, share_of(bar_bytes[k], sum_bytes)) } }; \
        set yrange [0:1.08 * high]; set ytics (0, sprintf('%.0f %%%%', high) high); unset grid; \
        right = maximum(most, least + 5); \
        set xrange [least - 1.5:right + 1.5]; \
        step = int(maximum(1, ceil((right - least + 1.0) / (single ? 9 : 5)))); \
        set xtics (size_name(least) least); \
        do for [k = least + step:right:step] { set xtics add (size_name(k) k) }; \
        set boxwidth 0.86; set style fill solid 1 noborder; \
        plot bar_blocks using ($1 - 3):($2 > 0 ? share_of($2, sum_blocks) : NaN) with boxes lc rgb palette[1], \
            bar_bytes using ($1 - 3):(drawn($1 - 3) ? share_of($2, sum_bytes) : NaN) \
                with histeps lw single ? 1.4 : 0.9 lc rgb ink \
    } else { \
        unset tics; set xrange [0:1]; set yrange [0:1]; \
        set label 'none' at graph 0.5, 0.5 center font small tc rgb grey noenhanced; plot 2 notitle \
    }; \
    unset label"

# From the start of the set-up to the end, as a share of all births and deaths.
middle(w) = minimum(100, 100.0 * (column('event') + 0.5 * work_step[w]) / work_events[w])
draw_live = "unit = unit_of(work_peak[w]); \
    eval open_panel; \
    if (live_to[w] >= live_from[w]) { \
        set xrange [0:100]; set xtics ('0' 0, '100 %%' 100); \
        set yrange [0:maximum(1, 1.08 * work_peak[w] / unit)]; unset grid; \
        set ytics (0, sprintf('%.3g', work_peak[w] / unit) work_peak[w] / unit); \
        if (work_begin[w] >= 1) { \
            set arrow from work_begin[w], graph 0 to work_begin[w], graph 1 nohead dt 2 lw 0.8 lc rgb grey \
        }; \
        set style fill solid 0.45 noborder; \
        eval from_csv; \
        plot 'census_live.csv' every ::live_from[w]::live_to[w] \
                using (middle(w)):(column('low_bytes') / unit):(column('high_bytes') / unit) \
                with filledcurves lc rgb palette[3], \
            'census_live.csv' every ::live_from[w]::live_to[w] \
                using (middle(w)):(column('high_bytes') / unit) with lines lw single ? 1.4 : 0.8 lc rgb palette[3]; \
        eval from_here \
    } else { \
        unset tics; set xrange [0:1]; set yrange [0:1]; \
        set label 'none' at graph 0.5, 0.5 center font small tc rgb grey noenhanced; plot 2 notitle \
    }; \
    unset label; unset arrow"

eval open_page
eval show_labels
do for [w = first:last] {
    strip_left = edge + (w - first) / lines * (strip_w + 30)
    top = head_h + (w - first) % lines * strip_h + (single ? 46 : 38)

    left = strip_left + indent
    quantity = 'size_bytes'
    heading = single ? 'Size' : strip_of(w)
    eval read_bars
    remark = single ? 'bytes, of ' . short(sum_blocks) . ' blocks' : 'size'
    eval draw_bars

    left = left + panel_w + gap - (single ? 0 : 12)
    quantity = 'life_bytes'
    heading = single ? 'Lifetime' : ''
    eval read_bars
    remark = single ? 'bytes allocated between birth and death, of ' . short(sum_blocks) . ' blocks' : 'lifetime'
    eval draw_bars

    left = left + panel_w + gap - (single ? 0 : 12)
    heading = single ? 'Live bytes' : ''
    remark = (single ? '' : 'live, ') . unit_name(work_peak[w]) . \
        (single ? ', from the least to the most in each interval' : '')
    eval draw_live
}
eval close_page
