// What Python's class Index holds: queries in batches over numpy arrays, with the interpreter's lock released.
#pragma once

#include "bind.hpp"
#include "collect.hpp"
#include "documents.hpp"

namespace fm {

class BoundIndex {
public:
    BoundIndex(const py::dict& arrays, u64 documents, u64 vocab_size, bool compact, bool baseline)
        : kept_(arrays), vocab_size_(vocab_size), blocks_(std::make_shared<Blocks>()) {
        const Shape shape{documents, vocab_size, compact, baseline};
        const py::array text = section("text");
        if (py::isinstance<py::array_t<u16>>(text)) {
            index_ = load<u16>(shape);
        } else {
            index_ = load<u32>(shape);
        }
    }

    u64 threads() const { return threads_; }
    void set_threads(i64 threads) {
        if (threads < 1 || threads > 1024)
            throw py::value_error("threads: expected 1 to 1024, found " + std::to_string(threads) + ".");
        threads_ = u64(threads);
    }
    u64 rows() const { return index_->rows(); }
    const Index& index() const { return *index_; }
    void check() const {
        py::gil_scoped_release unlocked;
        index_->check();
    }
    Workers& workers() { return workers_; }

    py::tuple step(const py::array& lo, const py::array& hi, const py::array& tokens) {
        const Ranges all = ranges(lo, hi);
        const Span<i64> wanted = vector_argument<i64>(tokens, "tokens");
        same_length(all.end, wanted.size, "tokens");
        py::array_t<i64> out_lo(py::ssize_t(all.end)), out_hi(py::ssize_t(all.end));
        i64 *to_lo = out_lo.mutable_data(), *to_hi = out_hi.mutable_data();
        {
            py::gil_scoped_release unlocked;
            const std::vector<u32> symbols = symbols_of(wanted);
            in_parts(all, kSmallBatch, [&](const Ranges& part, u64) {
                index_->engine().step(part, symbols.data(), to_lo, to_hi);
            });
        }
        return py::make_tuple(out_lo, out_hi);
    }

    py::tuple children(const py::array& lo, const py::array& hi, const py::array& tokens, const py::array& counts) {
        const Ranges all = ranges(lo, hi);
        const Span<i64> wanted = vector_argument<i64>(tokens, "tokens"), sizes = vector_argument<i64>(counts, "counts");
        same_length(all.end, wanted.size, "tokens");
        same_length(all.end, sizes.size, "counts");
        py::array_t<i64> out_lo(py::ssize_t(all.end)), out_hi(py::ssize_t(all.end));
        i64 *to_lo = out_lo.mutable_data(), *to_hi = out_hi.mutable_data();
        const std::vector<u32> symbols = symbols_of(wanted);
        for (u64 i = 0; i < all.end; ++i)
            if (symbols[i] == kNoSymbol || sizes[i] < 0 || sizes[i] > all.hi[i] - all.lo[i])
                throw py::value_error("tokens[" + std::to_string(i) + "] and counts[" + std::to_string(i) +
                                      "]: expected a successor of the range and its count, found token " +
                                      std::to_string(wanted[i]) + " and count " + std::to_string(sizes[i]) + ".");
        {
            py::gil_scoped_release unlocked;
            in_parts(all, kSmallBatch, [&](const Ranges& part, u64) {
                index_->engine().children(part, symbols.data(), sizes.data, to_lo, to_hi);
            });
        }
        return py::make_tuple(out_lo, out_hi);
    }

    py::tuple successors(const py::array& lo, const py::array& hi) { return collect(ranges(lo, hi), nullptr); }

    py::tuple top_successors(const py::array& lo, const py::array& hi, const py::array& scores, i64 k) {
        const Ranges all = ranges(lo, hi);
        if (!py::isinstance<py::array_t<float, py::array::c_style>>(scores) || scores.ndim() != 2)
            throw py::type_error("scores: expected a contiguous float32 array of two dimensions.");
        same_length(all.end, u64(scores.shape(0)), "scores");
        if (u64(scores.shape(1)) < vocab_size_)
            throw py::value_error("scores: expected at least vocab_size " + std::to_string(vocab_size_) +
                                  " columns, found " + std::to_string(scores.shape(1)) + ".");
        if (k < 1) throw py::value_error("k: expected at least 1, found " + std::to_string(k) + ".");
        const Best best{static_cast<const float*>(scores.data()), u64(scores.shape(1)), u64(k)};
        return collect(all, &best);
    }

    py::tuple locate(const py::array& rows, bool want_positions, bool want_documents) {
        const Span<i64> span = vector_argument<i64>(rows, "rows");
        for (u64 i = 0; i < span.size; ++i)
            if (span[i] < 0 || u64(span[i]) >= index_->rows())
                throw py::value_error("rows[" + std::to_string(i) + "]: expected 0 to " +
                                      std::to_string(i64(index_->rows()) - 1) + ", found " + std::to_string(span[i]) + ".");
        py::array_t<i64> positions(py::ssize_t(want_positions ? span.size : 0));
        py::array_t<i64> documents(py::ssize_t(want_documents ? span.size : 0));
        i64* to_positions = want_positions ? positions.mutable_data() : nullptr;
        i64* to_documents = want_documents ? documents.mutable_data() : nullptr;
        {
            py::gil_scoped_release unlocked;
            in_parts({span.data, span.data, 0, span.size}, kSmallLocate, [&](const Ranges& part, u64) {
                index_->engine().locate(span.data + part.begin, part.end - part.begin,
                                        to_positions ? to_positions + part.begin : nullptr,
                                        to_documents ? to_documents + part.begin : nullptr);
            });
        }
        return py::make_tuple(positions, documents);
    }

    // limit < 0: none.
    py::tuple documents(const py::array& lo, const py::array& hi, i64 limit, bool count) {
        const Ranges all = ranges(lo, hi);
        std::vector<i64> offsets(all.end + 1, 0);
        std::vector<DocumentLists> lists(all.end);
        DocumentLists out;
        {
            py::gil_scoped_release unlocked;
            in_parts(all, 4, [&](const Ranges& part, u64) {
                DocumentLister lister(index_->engine());
                for (u64 b = part.begin; b < part.end; ++b) {
                    const u64 from = u64(all.lo[b]), to = u64(all.hi[b]);
                    if (limit < 0) {
                        lister.append_all(from, to, lists[b]);
                    } else if (count) {
                        lister.append_first_counted(from, to, u64(limit), lists[b]);
                    } else {
                        lister.append_first(from, to, u64(limit), lists[b]);
                    }
                }
            });
            for (u64 b = 0; b < all.end; ++b) {
                out.documents.insert(out.documents.end(), lists[b].documents.begin(), lists[b].documents.end());
                out.occurrences.insert(out.occurrences.end(), lists[b].occurrences.begin(), lists[b].occurrences.end());
                offsets[b + 1] = i64(out.documents.size());
            }
        }
        return py::make_tuple(give(std::move(offsets)), give(std::move(out.documents)), give(std::move(out.occurrences)));
    }

    py::tuple extract(const py::array& documents) {
        const Span<i64> wanted = vector_argument<i64>(documents, "documents");
        std::vector<i64> offsets(wanted.size + 1, 0);
        for (u64 i = 0; i < wanted.size; ++i) {
            if (wanted[i] < 0 || u64(wanted[i]) >= index_->documents())
                throw py::value_error("documents[" + std::to_string(i) + "]: expected 0 to " +
                                      std::to_string(i64(index_->documents()) - 1) + ", found " +
                                      std::to_string(wanted[i]) + ".");
            offsets[i + 1] = offsets[i] + i64(index_->length(u64(wanted[i])));
        }
        py::array_t<i32> tokens(py::ssize_t(offsets.back()));
        i32* to = tokens.mutable_data();
        {
            py::gil_scoped_release unlocked;
            for (u64 i = 0; i < wanted.size; ++i) index_->extract(u64(wanted[i]), to + offsets[i]);
        }
        return py::make_tuple(give(std::move(offsets)), tokens);
    }

private:
    static constexpr u64 kSmallBatch = 128, kSmallLocate = 64;

    template <class T>
    Span<T> typed(const char* name) const {
        return vector_argument<T>(section(name), name);
    }

    py::array section(const char* name) const {
        if (!kept_.contains(name)) throw Damaged(std::string("section \"") + name + "\" is missing");
        return py::array::ensure(kept_[name]);
    }

    template <class Symbol>
    std::unique_ptr<Index> load(const Shape& shape) const try {
        Arrays<Symbol> a;
        a.text = typed<Symbol>("text");
        a.offsets = typed<i64>("offsets");
        a.alphabet = typed<i32>("alphabet");
        a.first_row = typed<u64>("first_row");
        a.ends = typed<u32>("ends");
        a.hints = typed<u32>("hints");
        a.marks = typed<u64>("marks");
        a.samples = typed<u8>("samples");
        a.wide_rows = typed<u64>("wide_rows");
        a.wide_offsets = typed<u64>("wide_offsets");
        a.wide_symbols = typed<Symbol>("wide_symbols");
        a.wide_counts = typed<u16>("wide_counts");
        if (shape.compact) {
            a.wavelet = typed<u8>("wavelet");
        } else {
            a.bwt = typed<Symbol>("bwt");
            a.directory = typed<u32>("directory");
            a.postings = typed<u8>("postings");
        }
        return std::make_unique<TypedIndex<Symbol>>(a, shape);
    } catch (const py::builtin_exception& error) {
        throw Damaged(error.what());
    }

    Ranges ranges(const py::array& lo, const py::array& hi) const {
        const Span<i64> from = vector_argument<i64>(lo, "lo"), to = vector_argument<i64>(hi, "hi");
        same_length(from.size, to.size, "hi");
        const i64 rows = i64(index_->rows());
        for (u64 i = 0; i < from.size; ++i)
            if (from[i] < 0 || to[i] > rows || from[i] > to[i])
                throw py::value_error("lo[" + std::to_string(i) + "], hi[" + std::to_string(i) +
                                      "]: expected 0 <= lo <= hi <= " + std::to_string(rows) + ", found " +
                                      std::to_string(from[i]) + ", " + std::to_string(to[i]) + ".");
        return {from.data, to.data, 0, from.size};
    }

    std::vector<u32> symbols_of(const Span<i64>& tokens) const {
        std::vector<u32> symbols(tokens.size);
        for (u64 i = 0; i < tokens.size; ++i) symbols[i] = index_->symbol(tokens[i]);
        return symbols;
    }

    // Runs body(part, number) on equal parts, one a thread; batches below `smallest` a thread stay whole.
    template <class Body>
    void in_parts(const Ranges& all, u64 smallest, Body&& body) {
        const u64 parts = std::max<u64>(1, std::min(threads_, all.end / smallest));
        workers_.run(parts, [&](u64 number) {
            Ranges part = all;
            part.begin = all.end * number / parts;
            part.end = all.end * (number + 1) / parts;
            body(part, number);
        });
    }

    py::tuple collect(const Ranges& all, const Best* best) {
        py::array_t<i64> offsets(py::ssize_t(all.end + 1));
        Collected out;
        {
            py::gil_scoped_release unlocked;
            out = Collector(*index_, workers_, scratch_, *blocks_, threads_).run(all, best, offsets.mutable_data());
        }
        return py::make_tuple(offsets, give<i32>(blocks_, std::move(out.tokens), out.total),
                              give<i64>(blocks_, std::move(out.counts), out.total));
    }

    py::dict kept_;
    u64 vocab_size_;
    u64 threads_ = 1;
    std::unique_ptr<Index> index_;
    Workers workers_;
    Pool<Scratch> scratch_;
    std::shared_ptr<Blocks> blocks_;
};

}  // namespace fm
