// Measures fm_index against sdsl-lite's csa_wt_int in one process, on one thread, with caches evicted before
// each batch. Measurement only: sdsl is GPL, and nothing of it is built into or shipped with the project.
//
// Usage: compare TOKENS OFFSETS (raw int32 and int64 files). Prints one JSON object.
#include <time.h>

#include <cstdio>
#include <fstream>
#include <random>

#include <sdsl/suffix_arrays.hpp>
#include <sdsl/wavelet_trees.hpp>

#include "building/builder.hpp"
#include "index.hpp"

using namespace fm;
using Peer = sdsl::csa_wt_int<>;  // what SEAL uses: suffix array samples every 32

static constexpr u64 kBatch = 300, kRounds = 7, kLongest = 9;

// CPU time of this thread: other programs on the machine do not count, unless they take its caches.
static double now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

template <class T>
static std::vector<T> read_file(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<T> values(u64(file.tellg()) / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), std::streamsize(values.size() * sizeof(T)));
    return values;
}

static void evict() {
    static std::vector<u64> filler(u64{1} << 24);
    for (u64 i = 0; i < filler.size(); i += 8) ++filler[i];
}

template <class Call>
static double timed(Call&& call) {
    evict();
    const double start = now();
    call();
    return now() - start;
}

// Our index with the arrays that it views.
struct Ours {
    Built<u16> built;
    std::unique_ptr<Index> index;
    double seconds;
    u64 bytes;

    Ours(const std::vector<i32>& tokens, const std::vector<i64>& offsets, i32 largest, bool compact) {
        const double start = now();
        const Alphabet alphabet = Alphabet::of(tokens.data(), tokens.size(), u64(largest));
        built = Builder<u16>(offsets.data(), offsets.size() - 1, compact, Progress()).run(tokens.data(), alphabet);
        seconds = now() - start;
        Arrays<u16> a;
        bytes = 0;
        auto use = [&](auto& span, const auto& values) {
            span = {values.data(), values.size()};
            bytes += values.size() * sizeof(*values.data());
        };
        use(a.offsets, offsets), use(a.alphabet, built.alphabet), use(a.first_row, built.first_row);
        use(a.ends, built.ends), use(a.hints, built.hints), use(a.marks, built.samples.marks);
        use(a.samples, built.samples.values), use(a.wide_rows, built.wide.rows);
        use(a.wide_offsets, built.wide.offsets), use(a.wide_symbols, built.wide.symbols);
        use(a.wide_counts, built.wide.counts), use(a.directory, built.postings.directory);
        use(a.postings, built.postings.stream), use(a.wavelet, built.wavelet);
        a.text = built.text.span();
        if (!compact) use(a.bwt, built.bwt);
        index = std::make_unique<TypedIndex<u16>>(a, Shape{offsets.size() - 1, u64(largest) + 1, compact, false});
    }
};

// One batch of contexts, their ranges in either index, and the token that follows each.
struct Batch {
    std::vector<i64> lo, hi, peer_lo, peer_hi;
    std::vector<u32> next;
};

enum Timed { kSuccessors, kPeerSuccessors, kPeerBare, kStep, kPeerStep, kTimed };

// Seconds of each round, or their medians summed over the lengths of contexts.
using Times = std::vector<std::vector<double>>;
using Sums = std::vector<double>;

class Comparison {
public:
    Comparison(const std::vector<i32>& tokens, const std::vector<i64>& offsets, Ours& ours, Peer& peer)
        : tokens_(tokens), offsets_(offsets), ours_(ours), peer_(peer), random_(11),
          out_tokens_(kBatch * 40000), out_counts_(kBatch * 40000), at_(kBatch + 2) {}

    Sums run() {
        Sums sums(kTimed, 0.0);
        for (u64 length = 1; length <= kLongest; ++length) {
            Times times(kTimed);
            for (u64 round = 0; round < kRounds; ++round) measure(draw(length), times);
            fprintf(stderr, "  %lu tokens:", length);
            for (u64 i = 0; i < kTimed; ++i) {
                sums[i] += median(times[i]);
                fprintf(stderr, " %.4f", median(times[i]) * 1e3);
            }
            fprintf(stderr, " ms\n");
        }
        return sums;
    }

    // Seconds a row: ours single, ours in a batch, peer.
    void locate(double* out) {
        const u64 rows = ours_.index->rows(), size = kBatch * 10;
        std::vector<i64> where(size), found(size);
        for (i64& row : where) row = i64(offsets_.size() + random_() % (rows - offsets_.size()));
        u64 sum = 0;
        out[0] = timed([&] {
            for (u64 i = 0; i < size; ++i) ours_.index->engine().locate(&where[i], 1, &found[i], nullptr);
        }) / double(size);
        for (i64& row : where) row = i64(offsets_.size() + random_() % (rows - offsets_.size()));
        out[1] = timed([&] { ours_.index->engine().locate(where.data(), size, found.data(), nullptr); }) / double(size);
        out[2] = timed([&] {
            for (u64 i = 0; i < size; ++i) sum += peer_[u64(where[i])];
        }) / double(size);
        if (sum == 42) fprintf(stderr, "\n");
    }

private:
    Batch draw(u64 length) {
        Batch batch;
        while (batch.lo.size() < kBatch) {
            const u64 d = random_() % (offsets_.size() - 1);
            const u64 size = u64(offsets_[d + 1] - offsets_[d]);
            if (size <= length) continue;
            const u64 start = u64(offsets_[d]) + random_() % (size - length);
            add(batch, start, length);
        }
        return batch;
    }

    void add(Batch& batch, u64 start, u64 length) {
        i64 lo = 0, hi = i64(ours_.index->rows());
        u64 left = 0, right = peer_.size() - 1;
        for (u64 i = start; i < start + length; ++i) {
            const u32 symbol = ours_.index->symbol(tokens_[i]);
            i64 from, to;
            ours_.index->engine().step({&lo, &hi, 0, 1}, &symbol, &from, &to);
            lo = from, hi = to;
            sdsl::backward_search(peer_, left, right, u64(symbol) + 1, left, right);
        }
        if (u64(hi - lo) != right + 1 - left) throw std::runtime_error("the indexes disagree");
        batch.lo.push_back(lo), batch.hi.push_back(hi);
        batch.peer_lo.push_back(i64(left)), batch.peer_hi.push_back(i64(right) + 1);
        batch.next.push_back(ours_.index->symbol(tokens_[start + length]));
    }

    void measure(const Batch& batch, Times& times) {
        Scratch scratch;
        const Ranges ranges{batch.lo.data(), batch.hi.data(), 0, kBatch};
        const Engine& engine = ours_.index->engine();
        engine.successors(ranges, out_tokens_.data(), out_counts_.data(), at_.data() + 1, scratch);  // sizes scratch
        u64 found = 0, peer_found = 0;
        times[kSuccessors].push_back(timed([&] {
            found = engine.successors(ranges, out_tokens_.data(), out_counts_.data(), at_.data() + 1, scratch);
        }));
        times[kPeerSuccessors].push_back(timed([&] { peer_found = peer_successors(batch, true); }));
        times[kPeerBare].push_back(timed([&] { peer_successors(batch, false); }));
        if (peer_found < found || peer_found > found + kBatch) throw std::runtime_error("successors disagree");
        std::vector<i64> lo(kBatch), hi(kBatch);
        times[kStep].push_back(timed([&] { engine.step(ranges, batch.next.data(), lo.data(), hi.data()); }));
        u64 total = 0, peer_total = 0;
        for (u64 b = 0; b < kBatch; ++b) total += u64(hi[b] - lo[b]);
        times[kPeerStep].push_back(timed([&] {
            for (u64 b = 0; b < kBatch; ++b) {
                u64 left, right;
                peer_total += sdsl::backward_search(peer_, u64(batch.peer_lo[b]), u64(batch.peer_hi[b]) - 1,
                                                    u64(batch.next[b]) + 1, left, right);
            }
        }));
        if (total != peer_total) throw std::runtime_error("steps disagree");
    }

    // copying: fresh vectors of the alphabet's size for each range, as SEAL's interface does.
    u64 peer_successors(const Batch& batch, bool copying) {
        u64 total = 0;
        static std::vector<Peer::value_type> kept(peer_.sigma);
        static std::vector<u64> kept_from(peer_.sigma), kept_to(peer_.sigma);
        for (u64 b = 0; b < kBatch; ++b) {
            u64 count = 0;
            const u64 lo = u64(batch.peer_lo[b]), hi = u64(batch.peer_hi[b]);
            if (!copying) {
                sdsl::interval_symbols(peer_.wavelet_tree, lo, hi, count, kept, kept_from, kept_to);
                total += count;
                continue;
            }
            std::vector<Peer::value_type> symbols(peer_.sigma);
            std::vector<u64> from(peer_.sigma), to(peer_.sigma), out, counts;
            sdsl::interval_symbols(peer_.wavelet_tree, lo, hi, count, symbols, from, to);
            for (u64 i = 0; i < count; ++i) out.push_back(symbols[i]), counts.push_back(to[i] - from[i]);
            total += out.size();
        }
        return total;
    }

    const std::vector<i32>& tokens_;
    const std::vector<i64>& offsets_;
    Ours& ours_;
    Peer& peer_;
    std::mt19937_64 random_;
    std::vector<i32> out_tokens_;
    std::vector<i64> out_counts_, at_;
};

static Peer build_peer(const Ours& ours, double& seconds) {
    const u64 size = ours.built.text.size() - 1;
    sdsl::int_vector<> text(size, 0, 32);
    for (u64 i = 0; i < size; ++i) text[i] = u64(ours.built.text[size - 1 - i]) + 1;
    Peer peer;
    const double start = now();
    sdsl::construct_im(peer, text, 0);
    seconds = now() - start;
    return peer;
}

static void report(const char* name, Comparison& comparison, const Ours& ours, double tokens) {
    const Sums sums = comparison.run();
    double locate[3];
    comparison.locate(locate);
    printf("\"%s\": {\"successors_ms\": %.3f, \"peer_successors_ms\": %.3f, \"peer_successors_without_copying_ms\": %.3f, "
           "\"step_ms\": %.4f, \"peer_step_ms\": %.4f, \"locate_single_us\": %.3f, \"locate_batch_us\": %.3f, "
           "\"peer_locate_us\": %.3f, \"build_s\": %.2f, \"bytes_a_token\": %.3f}",
           name, sums[kSuccessors] * 1e3, sums[kPeerSuccessors] * 1e3, sums[kPeerBare] * 1e3, sums[kStep] * 1e3,
           sums[kPeerStep] * 1e3, locate[0] * 1e6, locate[1] * 1e6, locate[2] * 1e6, ours.seconds,
           double(ours.bytes) / tokens);
}

int main(int, char** arguments) {
    const std::vector<i32> tokens = read_file<i32>(arguments[1]);
    const std::vector<i64> offsets = read_file<i64>(arguments[2]);
    const i32 largest = *std::max_element(tokens.begin(), tokens.end());
    const double count = double(tokens.size());
    Ours fast(tokens, offsets, largest, false);
    double seconds;
    Peer peer = build_peer(fast, seconds);
    printf("{\"tokens\": %zu, \"peer_build_s\": %.2f, \"peer_bytes_a_token\": %.3f, ", tokens.size(), seconds,
           double(sdsl::size_in_bytes(peer)) / count);
    {
        Comparison comparison(tokens, offsets, fast, peer);
        report("fast", comparison, fast, count);
    }
    printf(", ");
    Ours compact(tokens, offsets, largest, true);
    Comparison comparison(tokens, offsets, compact, peer);
    report("compact", comparison, compact, count);
    printf("}\n");
}
