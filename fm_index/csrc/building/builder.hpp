// From tokens to the arrays of an index.
#pragma once

#include "build_wide.hpp"
#include "build_postings.hpp"
#include "build_wavelet.hpp"
#include "suffix_sort.hpp"

namespace fm {

template <class Symbol>
struct Built {
    std::vector<i32> alphabet;
    std::vector<u64> first_row;
    Buffer<Symbol> text, bwt;
    Buffer<u32> ends, hints;
    Samples samples;
    StoredPostings postings;
    Buffer<u8> wavelet;
    WideContexts<Symbol> wide;
};

template <class Symbol>
class Builder {
public:
    Builder(const i64* offsets, u64 documents, bool compact, Progress progress)
        : offsets_(offsets), documents_(documents), tokens_(u64(offsets[documents])), compact_(compact),
          progress_(std::move(progress)) {}

    template <class Token>
    Built<Symbol> run(const Token* tokens, const Alphabet& alphabet) {
        out_.alphabet = alphabet.tokens();
        progress_.stage("reading");
        out_.text = write_text<Symbol>(tokens, offsets_, documents_, alphabet, progress_);
        count_rows();
        if (rows() < u64{1} << 31) {
            sort_and_write<i32>();
        } else {
            sort_and_write<i64>();
        }
        write_store();
        return std::move(out_);
    }

private:
    u64 rows() const { return tokens_ + documents_; }

    void count_rows() {
        const u64 symbols = out_.alphabet.size() + 1;
        out_.first_row.assign(symbols + 1, 0);
        for (u64 p = 0; p < rows(); ++p) ++out_.first_row[u64(out_.text[p]) + 1];
        for (u64 s = 0; s < symbols; ++s) {
            if (out_.first_row[s + 1] > UINT32_MAX)
                throw std::invalid_argument("a token occurs more than 4,294,967,295 times; build several shards.");
            out_.first_row[s + 1] += out_.first_row[s];
        }
    }

    template <class Index>
    void sort_and_write() {
        Buffer<Index> order(tokens_ + 1);
        progress_.stage("sorting");
        sort_prefixes<Symbol, Index>(out_.text.data(), rows(), out_.alphabet.size() + 1, order.data(), progress_);
        progress_.stage("writing rows");
        out_.hints = write_hints(offsets_, documents_);
        out_.samples = write_samples(offsets_, documents_, order.data(), rows(), progress_);
        out_.bwt = write_bwt(out_.text, offsets_, documents_, order.data(), progress_);
        out_.ends = write_ends(out_.bwt, offsets_, documents_, order.data(), out_.hints);
    }

    void write_store() {
        const Span<u64> first_row{out_.first_row.data(), out_.first_row.size()};
        const std::vector<Postings> postings = postings_of(first_row, rows());
        Arrays<Symbol> arrays;
        arrays.rows = rows();
        arrays.documents = documents_;
        arrays.symbols = out_.first_row.size() - 1;
        arrays.first_row = first_row;
        progress_.stage("writing ranks");
        if (compact_) {
            out_.wavelet = WaveletWriter<Symbol>(std::move(out_.bwt), arrays.symbols).run(progress_);
            arrays.wavelet = out_.wavelet.span();
        } else {
            out_.postings = PostingsWriter<Symbol>(out_.bwt.span(), postings).run(progress_);
            arrays.bwt = out_.bwt.span();
            arrays.directory = out_.postings.directory.span();
            arrays.postings = out_.postings.stream.span();
        }
        progress_.stage("writing contexts");
        const std::unique_ptr<Engine> engine = make_engine(arrays, postings, compact_, false);
        out_.wide = WideWriter<Symbol>(*engine, first_row, rows(), documents_).run(progress_);
    }

    const i64* offsets_;
    u64 documents_, tokens_;
    bool compact_;
    Progress progress_;
    Built<Symbol> out_;
};

}  // namespace fm
