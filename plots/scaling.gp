# Operations per second by number of threads
metric = 'ops_per_second'
eval read_stats

# A facet is drawn when some arm was measured at two numbers of threads.
array facet_first[facets]
array facet_last[facets]
do for [f = 1:facets] { facet_first[f] = 0; facet_last[f] = 0 }
do for [p = 1:panels] {
    f = panel_facet[p]
    if (!facet_first[f]) { facet_first[f] = p }
    facet_last[f] = p
}
drawn = 0
array drawn_facet[facets]
do for [f = 1:facets] {
    if (facet_last[f] > facet_first[f]) { drawn = drawn + 1; drawn_facet[drawn] = f }
}
if (!drawn) { print 'the run has one number of threads only'; exit status 77 }
measured = sum [r = 1:rows] (is_number(stat_median[r]))
if (!measured) { print 'no operations per second were measured'; exit status 77 }

low(r) = is_number(stat_low[r]) ? stat_low[r] : stat_median[r]
high(r) = is_number(stat_high[r]) ? stat_high[r] : stat_median[r]
# The points of a facet, and what could not be measured.
read_facet = "least = 1e300; most = 0; missing = ''; set print $facet; print '0 0 0 0 0'; \
    do for [a = 1:arms] { \
        absent = ''; \
        do for [p = facet_first[f]:facet_last[f]] { do for [r = panel_first[p]:panel_last[p]] { \
            if (row_arm[r] == a) { \
                if (is_number(stat_median[r])) { \
                    print a, panel_threads[p], stat_median[r], low(r), high(r); \
                    legend_arm[a] = 1; \
                    least = minimum(least, low(r)); most = maximum(most, high(r)) \
                } else { \
                    absent = absent . sprintf(absent eq '' ? ' at %d' : ', %d', panel_threads[p]) \
                } \
            } \
        } }; \
        if (absent ne '') { missing = missing . (missing eq '' ? '' : '; ') . arm_name[a] . absent } \
    }; \
    unset print"
threads_x(a) = $1 == a ? $2 : NaN
level(v) = gprintf('%g', real(gprintf('%.9s', 1.0 * v))) . gprintf(' %c', 1.0 * v)
# Ticks at round numbers, the more the shorter the axis; it ends beyond the points.
set_axes = "set logscale x 2; set logscale y; set datafile missing NaN; \
    set xrange [panel_threads[facet_first[f]] / 1.25:panel_threads[facet_last[f]] * 1.25]; \
    set yrange [least / 1.5:most * 1.5]; \
    set xtics (sprintf('%d', panel_threads[facet_first[f]]) panel_threads[facet_first[f]]); \
    do for [p = facet_first[f]:facet_last[f]] { set xtics add (sprintf('%d', panel_threads[p]) panel_threads[p]) }; \
    set ytics (level(1) 1); \
    steps = most / least > 6 ? '1 2 5' : '1 1.5 2 3 4 6 8'; \
    do for [k = 0:12] { do for [step in steps] { set ytics add (level(step * 10.0**k) step * 10.0**k) } }"

headline = 'Operations per second by number of threads (higher is better)'
do for [a = 1:arms] { legend_arm[a] = 0 }

if (text) {
    do for [k = 1:drawn] {
        f = drawn_facet[k]
        eval read_facet
        text_h = 22
        title = facet_of(facet_first[f]) . ': operations per second by threads'
        eval open_text
        eval set_axes
        set key outside right top Left reverse samplen 1 noenhanced
        plot for [a = 1:arms] $facet using (threads_x(a)):3 with points pt letters[a] \
            title (legend_arm[a] ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

do for [k = 1:drawn] { f = drawn_facet[k]; eval read_facet }
plot_w = 270
plot_h = 210
indent = 52
panel_w = indent + plot_w
panel_h = 50 + plot_h + 40
columns = minimum(drawn, 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 24, 640)
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = sample . '; log scales; grey dots: the baseline, if it scaled perfectly'
eval open_page
eval draw_legend
eval show_labels
do for [k = 1:drawn] {
    f = drawn_facet[k]
    first = facet_first[f]
    eval read_facet
    left = edge + (k - 1) % columns * (panel_w + 24) + indent
    top = head_h + legend_h + 16 + (k - 1) / columns * panel_h + 50
    heading = facet_of(first)
    remark = cut(missing eq '' ? 'operations per second' : 'not measured: ' . missing, 64)
    eval open_panel
    eval set_axes
    set xlabel 'threads' font small tc rgb grey offset 0, 0.5
    base = panel_baseline[first]
    one = base ? stat_median[base] / panel_threads[first] : NaN
    plot is_number(one) ? one * x : 1 / 0 with lines lt 1 lw 0.8 dt 3 lc rgb grey, \
        for [a = 1:arms] $facet using (threads_x(a)):3 with lines lw 1.3 dt arm_dash[a] lc rgb arm_colour[a], \
        for [a = 1:arms] $facet using (threads_x(a)):4:(0):($5 - $4) with vectors nohead lw 1.3 lc rgb arm_colour[a], \
        for [a = 1:arms] $facet using (threads_x(a)):3 with points pt arm_shape[a] ps 0.8 lc rgb arm_colour[a]
    unset label
}
eval close_page
