/* Written by tests/reference/stats.py: SciPy 1.10.1, NumPy 1.24.2. Do not edit. */
#ifndef HM_TESTS_STATS_SCIPY_H
#define HM_TESTS_STATS_SCIPY_H

static const double py_twelve[] = {0.02, 0.05, 0.11, 0.14, 0.18, 0.23,
                                   0.31, 0.36, 0.44, 0.57, 0.83, 1.9};
static const double py_nine[] = {0.61, 0.66, 0.72, 0.93, 1.02, 1.17, 1.31, 2.05, 2.9};
static const double py_six[] = {-0.31, -0.04, 0.0, 0.02, 0.05, 1.7};
static const double py_thirty[] = {0.11907,  0.193041, 0.250826, 0.303669, 0.354718, 0.405459,
                                   0.456804, 0.509416, 0.56385,  0.620617, 0.680233, 0.743239,
                                   0.810237, 0.881913, 0.959072, 1.042675, 1.133898, 1.234207,
                                   1.345463, 1.470085, 1.611299, 1.773522, 1.963031, 2.189122,
                                   2.466339, 2.819144, 3.293057, 3.986821, 5.180252, 8.398434};

/* special.betainc(a, b, x), at sizes that the binomial tail of many rounds needs */
static const struct {
    double a, b, x, value;
} py_beta[] = {
    {10000.0, 10000.0, 0.501, 0.6113500478574172}, {9000.0, 300.0, 0.97, 0.8930737003441389},
    {0.1, 5000.0, 1e-06, 0.6185221601161325},      {2500.0, 0.5, 0.9999, 0.47951110625834814},
    {50.0, 60.0, 0.3, 0.00034341151876628737},
};

/* stats.t.sf(t, freedom), far out */
static const struct {
    double t, freedom, upper;
} py_student[] = {
    {60.0, 5.0, 1.2168188794991909e-08}, {10000.0, 3.0, 1.1026577511479063e-12},
    {12.0, 29.0, 4.530354166568589e-13}, {25.0, 11.0, 2.4110417733744426e-11},
    {0.001, 7.0, 0.4996150086224994},
};

/* The geometric mean of three cells in each of 8 rounds, stats.gmean; the median of these, and the interval of
 * the order statistics at k = stats.binom.ppf(0.025, n, 0.5) from either end */
static const double py_cell_0[] = {2.0, 3.0, 2.5, 2.2, 9.0, 2.1, 2.7, 1.9};
static const double py_cell_1[] = {0.5, 0.45, 0.6, 0.51, 0.5, 0.48, 0.1, 0.52};
static const double py_cell_2[] = {1.0, 1.1, 0.98, 1.02, 1.5, 1.0, 0.99, 1.01};
static const double py_family[] = {1.0243289806624303, 0.6441687507056825, 1.8898815748423095};

/* The same intervals of the first n of py_thirty. */
static const struct {
    unsigned n;
    double low, high;
} py_median[] = {
    {6, 0.11907, 0.405459},   {8, 0.11907, 0.509416},   {12, 0.250826, 0.620617},
    {20, 0.405459, 0.959072}, {30, 0.620617, 1.611299},
};

/* Bootstrap of the difference of medians: 1000000 draws with NumPy's default_rng(20260101); the ends of the range
 * in which 2.5 and 97.5 % of 10000 draws lie. base, arm as named. */
static const double py_boot_twelve_nine[] = {0.31999999999999995, 0.345, 1.545, 1.7399999999999998};
static const double py_boot_six_nine[] = {0.05500000000000005, 0.14500000000000002, 1.62, 2.03};
static const double py_boot_thirty_six[] = {-1.5968035, -1.5317606434013253, -0.08407200000000004,
                                            0.019762999999999975};
static const double py_boot_thirty_thirty[] = {-0.6915370000000001, -0.6282714999999999,
                                               0.6240100000000002, 0.6908065000000001};

/* numpy.percentile(.., method='inverted_cdf'), which is the nearest rank, of the 2000 whole numbers
 * 100 + (i * 2654435761 mod 2^32) / 2^32 ^ 8 * 1000000, rounded down. */
static const double py_shares[] = {0.5, 0.9, 0.99, 0.995};
static const double py_percentiles[] = {4000.0, 427992.0, 919088.0, 957092.0};

/* Yuen: ttest_ind(base, arm + shift, equal_var=False, trim=share), of py_thirty and py_twelve: statistic, p. */
static const struct {
    double share, shift, t, p;
} py_yuen[] = {
    {0.0, 0.0, 3.2887906004333662, 0.002165353062346401},
    {0.0, 0.5, 1.8756554757325294, 0.06835251395747403},
    {0.0, 2.0, -2.363749898369982, 0.023272870228481266},
    {0.1, 0.0, 3.595151200132399, 0.0011726896585490547},
    {0.1, 0.5, 1.6254813606414675, 0.11476163463509184},
    {0.1, 2.0, -4.283528157831325, 0.00018099342581995957},
    {0.2, 0.0, 3.5681747601944345, 0.0017727797380050305},
    {0.2, 0.5, 1.3870918856344552, 0.17967764724965798},
    {0.2, 2.0, -5.1561567380454845, 3.909539166950612e-05},
    {0.3, 0.0, 3.469357937788141, 0.0037633177573309475},
    {0.3, 0.5, 1.2099106662740107, 0.24637092987510772},
    {0.3, 2.0, -5.568431148268379, 6.955378073102082e-05},
};

#endif
