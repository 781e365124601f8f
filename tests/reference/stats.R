# The statistics' values as R computes them, as a C header:
#
#   Rscript tests/reference/stats.R | clang-format --assume-filename=tests/unit/stats_r.h >tests/unit/stats_r.h
#
# Nothing in here is drawn by chance. Only R's own packages are needed (Debian: r-base-core).
number <- function(x) paste(sprintf("%.17g", x), collapse = ", ")
sleep_1 <- sleep$extra[sleep$group == 1]
sleep_2 <- sleep$extra[sleep$group == 2]
# Logarithms of ratios, written out: skewed, and of unequal spread.
few <- c(0.021, 0.034, -0.008, 0.055, 0.013, 0.29)
many <- c(0.11, 0.02, 0.07, 0.05, -0.03, 0.12, 0.61, 0.04, 0.09, 0.06, 0.01, 0.08)
p <- c(0.5, 0.003, 0.32, 0.054, 0.0003, 0.0003, 0.019, 0.021, 0.9, 0.0421)

cat("/* Written by tests/reference/stats.R: ", R.version.string, ". Do not edit. */\n", sep = "")
cat("#ifndef HM_TESTS_STATS_R_H\n#define HM_TESTS_STATS_R_H\n\n")
array <- function(name, x) cat("static const double ", name, "[] = {", number(x), "};\n", sep = "")

cat("/* The data: sleep is R's (Student 1908). */\n")
array("r_sleep_1", sleep_1)
array("r_sleep_2", sleep_2)
array("r_few", few)
array("r_many", many)

cat("\n/* pt(t, freedom, lower.tail = FALSE) */\n")
cat("static const struct {\n    double t, freedom, upper;\n} r_student[] = {\n")
for (freedom in c(1, 2.5, 5, 11, 17.776, 29, 200))
    for (t in c(-2, 0.1, 1, 2.2, 4, 9, 40))
        cat("    {", number(c(t, freedom, pt(t, freedom, lower.tail = FALSE))), "},\n", sep = "")
cat("};\n\n/* pbeta(x, a, b) */\n")
cat("static const struct {\n    double a, b, x, value;\n} r_beta[] = {\n")
for (a in c(0.5, 1, 3, 14.5, 200))
    for (b in c(0.5, 2, 40))
        for (x in c(0.001, 0.2, 0.5, 0.93))
            cat("    {", number(c(a, b, x, pbeta(x, a, b))), "},\n", sep = "")
cat("};\n\n/* pbinom(k, n, p) */\n")
cat("static const struct {\n    unsigned k, n;\n    double p, value;\n} r_binomial[] = {\n")
for (n in c(6, 12, 30, 1000))
    for (k in c(0, 2, 5))
        for (q in c(0.5, 0.03))
            cat("    {", k, ", ", n, ", ", number(c(q, pbinom(k, n, q))), "},\n", sep = "")
cat("};\n\n/* The ranks of the median's interval: k = qbinom((1 - confidence) / 2, n, 0.5) from either end, where\n")
cat(" * qbinom is the least k with P(X <= k) of that or more: so the interval of x(k) and x(n + 1 - k)\n")
cat(" * leaves out P(X < k) at most. 0: none. */\n")
cat("static const struct {\n    unsigned n;\n    double confidence;\n    unsigned low;\n} r_ranks[] = {\n")
for (confidence in c(0.9, 0.95, 0.99))
    for (n in c(3:40, 64, 99, 100, 250))
        cat("    {", n, ", ", confidence, ", ", qbinom((1 - confidence) / 2, n, 0.5), "},\n", sep = "")
cat("};\n\n/* quantile(x, q, type = 7) of r_many */\n")
qs <- c(0, 0.025, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.975, 1)
array("r_shares", qs)
array("r_quantiles", quantile(many, qs, type = 7))

# Of the hypothesis that a mean is within +- beyond: against the nearer end, doubled.
beyond <- function(x, y = NULL, by, paired = FALSE) {
    m <- if (is.null(y)) mean(x) else mean(x) - mean(y)
    if (abs(m) <= by) return(1)
    min(1, 2 * t.test(x, y, mu = sign(m) * by, alternative = if (m > 0) "greater" else "less")$p.value)
}
bys <- c(0, 0.01, log(1.02), 0.05)
cat("\n/* One-sided t.test(x, mu = +-beyond), doubled; 1 where the mean is within. */\n")
array("r_beyond", bys)
array("r_paired_few", sapply(bys, function(by) beyond(few, by = by)))
array("r_paired_many", sapply(bys, function(by) beyond(many, by = by)))
cat("/* The same of Welch's t.test(r_many, r_few, mu = ..), and with sleep. */\n")
array("r_welch", sapply(bys, function(by) beyond(many, few, by = by)))
array("r_welch_sleep", sapply(bys, function(by) beyond(sleep_2, sleep_1, by = by)))
cat("/* t.test(sleep_2, sleep_1)$p.value, two-sided, and with paired = TRUE */\n")
array("r_sleep_p", c(t.test(sleep_2, sleep_1)$p.value, t.test(sleep_2, sleep_1, paired = TRUE)$p.value))
cat("\n/* p.adjust(p, \"holm\") */\n")
array("r_p", p)
array("r_holm", p.adjust(p, "holm"))
cat("\n#endif\n")
