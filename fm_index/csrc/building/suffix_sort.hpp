// Sorts the positions of a collection of documents by their reversed prefixes, by induced sorting.
//
// The text is 0 d_0 0 d_1 ... 0 d_{D-1} and one more 0: every document stands behind a begin marker. Position
// p is compared by F[p], F[p-1], ... down to its document's marker; markers compare by position and are the
// smallest symbols. This is the suffix array of the reversed documents, each with its own terminator,
// computed without reversing anything; the rows of the markers are left out, since row d is document d.
//
// The method is SA-IS (Nong, Zhang, Chan: Two Efficient Algorithms for Linear Time Suffix Array
// Construction, 2011), mirrored. "Lower" below is its type L (a position that sorts above the one before it),
// "upper" its type S, "valley" its LMS: an upper position whose next one is lower.
//
// Memory beside text and result: the lengths, names and buckets of deeper levels live in the part of the
// result that is free during the recursion; what does not fit is allocated (see docs/fm_index.md).
#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "direct_sort.hpp"
#include "progress.hpp"

namespace fm {

// Hands out pieces of a free stretch of memory, and allocates what does not fit.
template <class Index>
class Arena {
public:
    Arena(Index* at, u64 size) : at_(at), left_(size) {}

    Index* take(u64 count) {
        if (count <= left_) {
            Index* piece = at_;
            at_ += count;
            left_ -= count;
            return piece;
        }
        owned_.emplace_back(new Index[count]);
        return owned_.back().get();
    }

    Arena rest() const { return Arena(at_, left_); }

private:
    Index* at_;
    u64 left_;
    std::vector<std::unique_ptr<Index[]>> owned_;
};

template <class Symbol, class Index>
class PrefixSorter {
public:
    // text: size + 1 symbols, all below `symbols`, text[0] = text[size] = 0. order: one entry for each
    // position that is not a marker.
    PrefixSorter(const Symbol* text, u64 size, u64 symbols, Index* order, Arena<Index> arena,
                 const Progress& progress)
        : text_(text), size_(size), symbols_(symbols), order_(order), arena_(std::move(arena)),
          progress_(progress), begin_(arena_.take(symbols + 1)), cursor_(arena_.take(symbols)) {}

    // direct: whether to try the direct way first, which is for texts that are not very repetitive.
    void run(bool direct) {
        count();
        if (tokens_ == 0) return;
        if (!direct || !sort_valleys_directly()) sort_valleys_by_names();
        seed_sorted();
        induce_lower<false>();
        induce_upper<false>();
    }

private:
    using Name = std::make_unsigned_t<Index>;
    static constexpr u64 kAhead = 20;
    static constexpr u64 kSmall = u64{1} << 20;

    // begin_[c]: the first row of symbol c, rows counted without the markers.
    void count() {
        std::fill(begin_, begin_ + symbols_ + 1, Index{0});
        for (u64 p = 0; p < size_; ++p) ++begin_[text_[p]];
        begin_[0] = 0;
        for (u64 c = 1; c <= symbols_; ++c) {
            const Index occurrences = c < symbols_ ? begin_[c] : 0;
            begin_[c] = Index(tokens_);
            tokens_ += u64(occurrences);
        }
    }

    // Calls visit(p, c, start) for each valley p with symbol c, in text order; the substring that names it is
    // text[start ... p]. Calls mark() at each marker.
    template <class Visit, class Mark>
    void for_each_valley(Visit&& visit, Mark&& mark) const {
        u64 previous = 0, start = 0;
        bool upper = false;
        for (u64 p = 0; p <= size_; ++p) {
            const u64 c = text_[p];
            if (c > previous) {
                if (upper) {
                    visit(p - 1, previous, start);
                    start = p - 1;
                }
                upper = false;
            } else if (c < previous) {
                upper = c != 0;
            }
            if (c == 0) {
                start = p;
                mark();
            }
            previous = c;
        }
    }

    void cursors_at_ends() { std::copy(begin_ + 1, begin_ + symbols_ + 1, cursor_); }

    // Fills the front of order_ with the sorted valleys; false when the text is too repetitive for that.
    bool sort_valleys_directly() {
        const u64 largest = bucket_valleys();
        if (largest > size_ / 32 + kSmall) return false;
        DirectSorter<Symbol, Index> sorter(text_, order_, valleys_);
        u64 begin = 0;
        for (u64 c = 1; c < symbols_; ++c) {
            const u64 end = u64(cursor_[c]);
            if (end - begin > 1 && !sorter.run(begin, end)) return false;
            if (end - begin > kSmall / 64) progress_.tick(end, valleys_);
            begin = end;
        }
        return true;
    }

    // Moves the valleys to the front, by symbol and then in text order; cursor_[c] becomes the end of c's.
    // Returns the size of the largest bucket.
    u64 bucket_valleys() {
        std::fill(cursor_, cursor_ + symbols_, Index{0});
        for_each_valley([&](u64, u64 c, u64) { ++cursor_[c]; }, [] {});
        u64 largest = 0;
        valleys_ = 0;
        for (u64 c = 0; c < symbols_; ++c) {
            const u64 count = u64(cursor_[c]);
            cursor_[c] = Index(valleys_);
            valleys_ += count;
            largest = std::max(largest, count);
        }
        for_each_valley([&](u64 p, u64 c, u64) { order_[cursor_[c]++] = Index(p); }, [] {});
        return largest;
    }

    void sort_valleys_by_names() {
        seed_unsorted();
        induce_lower<true>();
        induce_upper<true>();
        gather();
        sort_valleys();
    }

    void seed_unsorted() {
        valleys_ = 0;
        std::fill(order_, order_ + tokens_, Index{0});
        cursors_at_ends();
        for_each_valley(
            [&](u64 p, u64 c, u64) {
                order_[--cursor_[c]] = Index(p);
                ++valleys_;
            },
            [] {});
    }

    // Entry states: 0 empty; e > 0 induces e + 1 in this pass; ~e is finished here, and for the next pass.
    template <bool substrings>
    void induce_lower() {
        std::copy(begin_, begin_ + symbols_, cursor_);
        for (u64 p = 0; p < size_; ++p)
            if (text_[p] == 0 && text_[p + 1] != 0) place_lower(p + 1);
        in_pieces(tokens_, progress_, [&](u64 from, u64 to) {
            for (u64 i = from; i < to; ++i) {
                prefetch_from(i, +1);
                const Index e = order_[i];
                if (e > 0) {
                    order_[i] = substrings ? Index{0} : Index(~e);
                    place_lower(u64(e) + 1);
                } else if (e < 0) {
                    order_[i] = Index(~e);
                }
            }
        });
    }

    void place_lower(u64 p) {
        const Symbol c = text_[p];
        order_[cursor_[c]++] = text_[p + 1] >= c ? Index(p) : Index(~Index(p));
    }

    template <bool substrings>
    void induce_upper() {
        cursors_at_ends();
        in_pieces(tokens_, progress_, [&](u64 from, u64 to) {
            for (u64 i = tokens_ - from; i-- > tokens_ - to;) {
                prefetch_from(i, -1);
                const Index e = order_[i];
                if (e > 0) {
                    if (substrings) order_[i] = 0;
                    place_upper<substrings>(u64(e) + 1);
                } else if (!substrings && e < 0) {
                    order_[i] = Index(~e);
                }
            }
        });
    }

    template <bool substrings>
    void place_upper(u64 p) {
        const Symbol c = text_[p];
        if (c == 0) return;
        const Symbol next = text_[p + 1];
        if (substrings && next == 0) return;
        order_[--cursor_[c]] = next != 0 && next <= c ? Index(p) : Index(~Index(p));
    }

    // The text, the bucket and the slot of entries to come, fetched in three steps.
    void prefetch_from(u64 i, int direction) const {
        const u64 far = i + u64(i64(direction) * i64(3 * kAhead));
        if (far >= tokens_) return;
        const Index e = order_[far];
        FM_PREFETCH(text_ + (e > 0 ? e : 0) + 1);
        const Index nearer = order_[i + u64(i64(direction) * i64(2 * kAhead))];
        FM_PREFETCH_WRITE(cursor_ + text_[(nearer > 0 ? nearer : 0) + 1]);
        const Index near = order_[i + u64(i64(direction) * i64(kAhead))];
        if (near > 0) {
            const Symbol c = text_[near + 1];
            FM_PREFETCH_WRITE(order_ + cursor_[c] - (direction < 0 ? 1 : 0));
        }
    }

    // The valleys, in the order of their substrings, to the front.
    void gather() {
        u64 k = 0;
        for (u64 i = 0; i < tokens_; ++i) {
            const Index e = order_[i];
            if (e < 0) order_[k++] = Index(~e);
        }
    }

    // Orders the valleys by their whole prefixes: names their substrings and sorts the text of the names.
    void sort_valleys() {
        Arena<Index> arena(order_ + valleys_, tokens_ - valleys_);
        Index* half = arena.take(size_ / 2 + 2);
        for_each_valley([&](u64 p, u64, u64 start) { half[p / 2] = Index(p - start); }, [] {});
        const u64 names = name_substrings(half);
        if (names == valleys_) return;
        Name* reduced = reinterpret_cast<Name*>(half);
        const u64 length = write_reduced(half, reduced);
        const u64 used = std::min<u64>(length + 1, size_ / 2 + 2);
        const bool inside = half == order_ + valleys_;
        Arena<Index> deeper = inside ? Arena<Index>(half + used, tokens_ - valleys_ - used)
                                     : Arena<Index>(order_ + valleys_, tokens_ - valleys_);
        PrefixSorter<Name, Index>(reduced, length, names + 1, order_, std::move(deeper), progress_).run(false);
        positions_of_reduced(half);
        for (u64 i = 0; i < valleys_; ++i) {
            if (i + kAhead < valleys_) FM_PREFETCH(half + order_[i + kAhead]);
            order_[i] = half[order_[i]];
        }
    }

    // half[p / 2]: in, the length of valley p's substring; out, its name, counted from 1. Returns the largest.
    u64 name_substrings(Index* half) const {
        u64 names = 0;
        Index last = 0, last_length = -1;
        for (u64 i = 0; i < valleys_; ++i) {
            if (i + kAhead < valleys_) {
                FM_PREFETCH(text_ + order_[i + kAhead]);
                FM_PREFETCH_WRITE(half + order_[i + kAhead] / 2);
            }
            const Index p = order_[i], length = half[p / 2];
            const bool same = length == last_length &&
                              std::memcmp(text_ + p - length, text_ + last - length,
                                          (u64(length) + 1) * sizeof(Symbol)) == 0;
            names += !same;
            half[p / 2] = Index(names);
            last = p;
            last_length = length;
        }
        return names;
    }

    // The names in text order behind one marker a document (documents without valleys merge). Writing in
    // place is safe: the item of position p has an index of at most p / 2.
    u64 write_reduced(const Index* half, Name* reduced) const {
        u64 length = 0;
        for_each_valley([&](u64 p, u64, u64) { reduced[length++] = Name(half[p / 2]); },
                        [&] {
                            if (length == 0 || reduced[length - 1] != 0) reduced[length++] = 0;
                        });
        if (length > 1 && reduced[length - 1] == 0) --length;
        reduced[length] = 0;
        return length;
    }

    // The same walk again, with positions in place of names.
    void positions_of_reduced(Index* positions) const {
        u64 length = 0;
        bool marked = false;
        for_each_valley(
            [&](u64 p, u64, u64) {
                positions[length++] = Index(p);
                marked = false;
            },
            [&] {
                if (!marked) positions[length++] = 0;
                marked = true;
            });
    }

    // Moves the sorted valleys from the front to the ends of their buckets.
    void seed_sorted() {
        std::fill(cursor_, cursor_ + symbols_, Index{0});
        for_each_valley([&](u64, u64 c, u64) { ++cursor_[c]; }, [] {});
        u64 left = valleys_;
        for (u64 c = symbols_; c-- > 1;) {
            const u64 count = u64(cursor_[c]), end = u64(begin_[c + 1]);
            left -= count;
            std::memmove(order_ + end - count, order_ + left, count * sizeof(Index));
            std::fill(order_ + begin_[c], order_ + end - count, Index{0});
        }
    }

    const Symbol* text_;
    u64 size_, symbols_;
    Index* order_;
    Arena<Index> arena_;
    const Progress& progress_;
    Index* begin_;
    Index* cursor_;
    u64 tokens_ = 0, valleys_ = 0;
};

// Sorts with no free memory given. direct: whether to try the faster way first.
template <class Symbol, class Index>
void sort_prefixes(const Symbol* text, u64 size, u64 symbols, Index* order, const Progress& progress,
                   bool direct = true) {
    PrefixSorter<Symbol, Index>(text, size, symbols, order, Arena<Index>(nullptr, 0), progress).run(direct);
}

}  // namespace fm
