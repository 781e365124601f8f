// Google Benchmark behind one C function; the only C++ of heapmark.
#include "harness/cell/gbench.h"

#include <benchmark/benchmark.h>

#include <cerrno>
#include <string>
#include <vector>

namespace {

// The results are read from the JSON file and from the engine: nothing is printed.
class SilentReporter : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context &) override {
        return true;
    }
    void ReportRuns(const std::vector<Run> &) override {
    }
};

void Measure(benchmark::State &state, const hm_gbench &what) {
    const auto batch = static_cast<benchmark::IterationCount>(what.iterations);
    while (state.KeepRunningBatch(batch)) {
        const double seconds = what.measure(what.arg);
        if (seconds < 0) {
            state.SkipWithError("the workload did not finish");
            return;
        }
        state.SetIterationTime(seconds);
    }
    state.SetItemsProcessed(static_cast<int64_t>(what.ops));
    state.counters["threads"] = what.threads;
}

} // namespace

int hm_gbench_run(const hm_gbench *what) {
    std::vector<std::string> words = {"heapmark"};
    if (*what->json) {
        words.push_back(std::string("--benchmark_out=") + what->json);
        words.push_back("--benchmark_out_format=json");
    }
    std::vector<char *> argv;
    for (auto &word : words)
        argv.push_back(&word[0]);
    int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    benchmark::Initialize(&argc, argv.data());
    benchmark::RegisterBenchmark(what->name,
                                 [what](benchmark::State &state) { Measure(state, *what); })
        ->Iterations(static_cast<benchmark::IterationCount>(what->iterations))
        ->UseManualTime();
    SilentReporter reporter;
    const size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
    benchmark::Shutdown();
    return ran == 1 ? 0 : EIO;
}
