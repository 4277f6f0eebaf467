// The successors of every context with at least kWideRows rows, found by walking from the empty n-gram and
// from the documents' start, shortest contexts first.
#pragma once

#include <deque>
#include <map>

#include "build_rows.hpp"
#include "engine.hpp"

namespace fm {

template <class Symbol>
struct WideContexts {
    std::vector<u64> rows, offsets;
    std::vector<Symbol> symbols;
    std::vector<u16> counts;
};

// The work and the space are bounded by the number of rows, so that a periodic text, which has as many wide
// contexts as positions, costs no more than another.
template <class Symbol>
class WideWriter {
public:
    WideWriter(const Engine& engine, Span<u64> first_row, u64 rows, u64 documents)
        : engine_(engine), first_row_(first_row), work_(8 * rows), space_(rows / 12) {
        add(0, rows);
        add(0, documents);
    }

    WideContexts<Symbol> run(const Progress& progress) {
        const u64 all_work = work_;
        while (!queue_.empty()) {
            const Range range = queue_.front();
            queue_.pop_front();
            if (!visit(range)) break;
            progress.tick(all_work - work_, all_work);
        }
        return collect();
    }

private:
    using Range = std::pair<u64, u64>;
    struct List {
        std::vector<Symbol> symbols;
        std::vector<u32> counts;
    };

    void add(u64 lo, u64 hi) {
        if (hi - lo >= kWideRows && lists_.emplace(Range{lo, hi}, List{}).second) queue_.push_back({lo, hi});
    }

    // False when the bounds are reached; the range is then left without a list.
    bool visit(const Range& range) {
        const u64 width = range.second - range.first;
        if (width > work_) return false;
        work_ -= width;
        engine_.scan(range.first, range.second, symbols_, counts_, scratch_);
        if (symbols_.size() > space_) return false;
        space_ -= symbols_.size();
        List& list = lists_[range];
        list.symbols.assign(symbols_.begin(), symbols_.end());
        list.counts = counts_;
        done_.push_back(range);
        for (u64 i = 0; i < symbols_.size(); ++i) {
            if (counts_[i] < kWideRows) continue;
            const u64 lo = first_row_[symbols_[i]] + engine_.rank(symbols_[i], range.first);
            add(lo, lo + counts_[i]);
        }
        return true;
    }

    WideContexts<Symbol> collect() {
        WideContexts<Symbol> out;
        std::sort(done_.begin(), done_.end());
        out.offsets.push_back(0);
        for (const Range& range : done_) {
            const List& list = lists_[range];
            out.rows.insert(out.rows.end(), {range.first, range.second});
            out.symbols.insert(out.symbols.end(), list.symbols.begin(), list.symbols.end());
            for (u32 count : list.counts) out.counts.push_back(u16(std::min<u32>(count, kManyCounts)));
            out.offsets.push_back(out.symbols.size());
        }
        return out;
    }

    const Engine& engine_;
    Span<u64> first_row_;
    u64 work_, space_;
    std::map<Range, List> lists_;
    std::deque<Range> queue_;
    std::vector<Range> done_;
    std::vector<u32> symbols_, counts_;
    Scratch scratch_;
};

}  // namespace fm
