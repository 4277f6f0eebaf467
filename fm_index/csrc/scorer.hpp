// Ranks the passages of one query by the keys they hold: candidates by the rows of rare keys, then every
// candidate's tokens in full. The formula is in fm_index/scoring.py.
#pragma once

#include "index.hpp"
#include "key_automaton.hpp"

namespace fm {

struct ScorerOptions {
    double beta, single_key;
    bool overlaps;
    u64 max_occurrences, max_candidates, num_return;
    bool fill;  // where too few passages are nominated, others come behind them
};

// Indexes that follow one another in the numbering of passages.
struct Shards {
    std::vector<const Index*> indexes;
    std::vector<u64> bases;  // the number of each one's first passage, and of all
    Span<bool> removed;       // one a passage, or none
};

// The rows of every key in one shard.
struct KeyRows {
    const i64* lo;
    const i64* hi;

    u64 count(const Key& key) const { return u64(hi[key.number] - lo[key.number]); }
};

struct ScoredPassage {
    double score;
    i64 passage;

    // The better one is the smaller; ties in order of passage.
    bool operator<(const ScoredPassage& other) const {
        return score != other.score ? score > other.score : passage < other.passage;
    }
};

struct ScoredQuery {
    std::vector<i64> passages;
    std::vector<double> scores;
    i64 located = 0;
    std::vector<i64> match_offsets, match_keys, starts, ends;
    std::vector<double> contributions;
};

// The keys that a passage holds, and where; used again for every passage.
class PassageMatches {
public:
    void start(u64 keys) {
        if (first_.size() < keys) first_.resize(keys, kNone), last_.resize(keys);
        for (u32 key : keys_) first_[key] = kNone;
        keys_.clear();
        places_.clear();
    }

    void add(u32 key, u64 start) {
        const u32 here = u32(places_.size());
        places_.push_back({start, kNone});
        if (first_[key] == kNone) {
            first_[key] = here;
            keys_.push_back(key);
        } else {
            places_[last_[key]].next = here;
        }
        last_[key] = here;
    }

    const std::vector<u32>& sorted() {
        std::sort(keys_.begin(), keys_.end());
        return keys_;
    }

    // The key's first place for which free(start) holds, or false.
    template <class Free>
    bool place(u32 key, u64& start, Free&& free) const {
        for (u32 at = first_[key]; at != kNone; at = places_[at].next) {
            start = places_[at].start;
            if (free(start)) return true;
        }
        return false;
    }

private:
    static constexpr u32 kNone = ~u32{0};

    struct Place {
        u64 start;
        u32 next;
    };

    std::vector<u32> keys_, first_, last_;
    std::vector<Place> places_;
};

// Which tokens of a passage are covered.
class Cover {
public:
    void start(u64 size) { words_.assign(size / 64 + 1, 0); }

    bool is_free(u64 begin, u64 end) const {
        u64 found = 0;
        each_word(begin, end, [&](u64 word, u64 mask) { found |= words_[word] & mask; });
        return found == 0;
    }

    void add(u64 begin, u64 end) {
        each_word(begin, end, [&](u64 word, u64 mask) { words_[word] |= mask; });
    }

private:
    template <class Visit>
    static void each_word(u64 begin, u64 end, Visit&& visit) {
        for (u64 word = begin / 64; word <= (end - 1) / 64; ++word) {
            const u64 from = word == begin / 64 ? begin % 64 : 0, to = word == (end - 1) / 64 ? (end - 1) % 64 + 1 : 64;
            visit(word, low_mask(unsigned(to)) & ~low_mask(unsigned(from)));
        }
    }

    std::vector<u64> words_;
};

// Scores one query after the other; one for each thread.
class Scorer {
public:
    Scorer(const Shards& shards, const ScorerOptions& options) : shards_(shards), options_(options) {}

    // keys: in the order in which they count, all of positive weight. rows: of each shard, by Key::number.
    ScoredQuery run(const std::vector<Key>& keys, const std::vector<KeyRows>& rows, bool with_matches) {
        ScoredQuery out;
        out.match_offsets.push_back(0);
        automaton_.build(keys);
        counted_.assign(automaton_.words(), 0);
        passage_ = 0;
        std::vector<ScoredPassage> found = candidates(keys, rows, out);
        std::vector<ScoredPassage> rest;
        if (options_.fill && found.size() < options_.num_return)
            rest = others(found, std::max(options_.max_candidates, options_.num_return - found.size()));
        rank(keys, found, options_.num_return);
        rank(keys, rest, options_.num_return - found.size());
        found.insert(found.end(), rest.begin(), rest.end());
        for (const ScoredPassage& passage : found) {
            if (with_matches) score(keys, passage.passage, &out);
            out.passages.push_back(passage.passage);
            out.scores.push_back(passage.score);
        }
        return out;
    }

private:
    static constexpr u64 kCheaper = 32;

    struct Hit {
        i64 passage;
        u32 key;

        bool operator<(const Hit& other) const {
            return passage != other.passage ? passage < other.passage : key < other.key;
        }
        bool operator==(const Hit& other) const { return passage == other.passage && key == other.key; }
    };

    // The passages with the largest sums of the weights of the rare n-grams they hold, in order of number.
    std::vector<ScoredPassage> candidates(const std::vector<Key>& keys, const std::vector<KeyRows>& rows, ScoredQuery& out) {
        std::vector<Hit> hits = locate(keys, rows, out);
        std::sort(hits.begin(), hits.end());
        hits.erase(std::unique(hits.begin(), hits.end()), hits.end());
        std::vector<ScoredPassage> found;
        for (const Hit& hit : hits) {
            if (found.empty() || found.back().passage != hit.passage) found.push_back({0, hit.passage});
            found.back().score += keys[hit.key].weight;
        }
        keep_best(found, options_.max_candidates);
        std::sort(found.begin(), found.end(), [](const ScoredPassage& a, const ScoredPassage& b) { return a.passage < b.passage; });
        return found;
    }

    // At most so many passages that are none of `found`, which is in order of number.
    std::vector<ScoredPassage> others(const std::vector<ScoredPassage>& found, u64 most) const {
        std::vector<ScoredPassage> rest;
        u64 next = 0;
        for (i64 passage = 0; passage < i64(shards_.bases.back()) && rest.size() < most; ++passage) {
            while (next < found.size() && found[next].passage < passage) ++next;
            if (!is_removed(passage) && !(next < found.size() && found[next].passage == passage)) rest.push_back({0, passage});
        }
        return rest;
    }

    // Scores passages in full, and keeps the best of them, best first.
    void rank(const std::vector<Key>& keys, std::vector<ScoredPassage>& found, u64 most) {
        for (ScoredPassage& passage : found) passage.score = score(keys, passage.passage, nullptr);
        keep_best(found, most);
        std::sort(found.begin(), found.end());
    }

    static void keep_best(std::vector<ScoredPassage>& found, u64 most) {
        if (found.size() <= most) return;
        std::nth_element(found.begin(), found.begin() + i64(most), found.end());
        found.resize(most);
    }

    // Every passage of every rare n-gram, once for each occurrence.
    std::vector<Hit> locate(const std::vector<Key>& keys, const std::vector<KeyRows>& rows, ScoredQuery& out) {
        std::vector<u32> rare;
        for (u32 k = 0; k < keys.size(); ++k)
            if (nominates(keys[k], k)) rare.push_back(k);
        std::stable_sort(rare.begin(), rare.end(), [&](u32 a, u32 b) { return keys[a].size < keys[b].size; });
        std::vector<Hit> hits;
        for (u64 s = 0; s < rows.size(); ++s) {
            locate_in(s, keys, rows[s], rare, out);
            for (u32 k : rare)
                for (u64 i = 0; i < rows[s].count(keys[k]); ++i) {
                    const i64 passage = passages_[begin_[k] + i] + i64(shards_.bases[s]);
                    if (!is_removed(passage)) hits.push_back({passage, k});
                }
        }
        return hits;
    }

    // Fills passages_, from begin_[k] on for key k, in order of rows. The rows of an n-gram that continues
    // another one are the other's rows that its last token follows, in the same order; so hypotheses that grew
    // out of one another are looked up once.
    void locate_in(u64 shard, const std::vector<Key>& keys, const KeyRows& rows, const std::vector<u32>& rare,
                   ScoredQuery& out) {
        u64 total = 0;
        begin_.resize(keys.size());
        rows_.clear(), places_.clear();
        for (u32 k : rare) {
            begin_[k] = total;
            const u64 count = rows.count(keys[k]);
            if (!follows(keys, rows, k))
                for (u64 i = 0; i < count; ++i) {
                    rows_.push_back(rows.lo[keys[k].number] + i64(i));
                    places_.push_back(total + i);
                }
            total += count;
        }
        passages_.resize(total);
        found_.resize(rows_.size());
        shards_.indexes[shard]->engine().locate(rows_.data(), rows_.size(), nullptr, found_.data());
        for (u64 i = 0; i < rows_.size(); ++i) passages_[places_[i]] = found_[i];
        out.located += i64(rows_.size());
        for (u32 k : rare)
            if (follows(keys, rows, k)) follow(*shards_.indexes[shard], keys, rows, k);
    }

    // Whether a key is found among the rows of the one that it continues; not where those are so many more that
    // looking its own rows up is cheaper.
    bool follows(const std::vector<Key>& keys, const KeyRows& rows, u32 key) const {
        const u32 prefix = automaton_.prefix(keys, key);
        return prefix != KeyAutomaton::kNone && nominates(keys[prefix], prefix) &&
               rows.count(keys[prefix]) <= kCheaper * rows.count(keys[key]);
    }

    void follow(const Index& index, const std::vector<Key>& keys, const KeyRows& rows, u32 key) {
        const u32 prefix = automaton_.prefix(keys, key);
        const u32 wanted = index.symbol(keys[key].tokens[keys[key].size - 1]);
        const u64 count = rows.count(keys[key]);
        symbols_.resize(rows.count(keys[prefix]));
        index.engine().symbols(u64(rows.lo[keys[prefix].number]), symbols_.size(), symbols_.data());
        u64 found = 0;
        for (u64 i = 0; i < symbols_.size() && found < count; ++i)
            if (symbols_[i] == wanted) passages_[begin_[key] + found++] = passages_[begin_[prefix] + i];
        if (found < count) throw Damaged("an n-gram's rows are not among its prefix's");
    }

    bool nominates(const Key& key, u32 number) const {
        return !key.unigram && key.occurrences <= options_.max_occurrences && automaton_.keeps(number);
    }

    bool is_removed(i64 passage) const { return shards_.removed.size && shards_.removed[u64(passage)]; }

    void read(i64 passage) {
        const auto after = std::upper_bound(shards_.bases.begin(), shards_.bases.end(), u64(passage));
        const u64 shard = u64(after - shards_.bases.begin()) - 1, document = u64(passage) - shards_.bases[shard];
        tokens_.resize(shards_.indexes[shard]->length(document));
        shards_.indexes[shard]->extract(document, tokens_.data());
    }

    // Takes keys in their order, each once, where nothing covers it; writes them to `out` unless null.
    double score(const std::vector<Key>& keys, i64 passage, ScoredQuery* out) {
        read(passage);
        matches_.start(keys.size());
        automaton_.scan(keys, tokens_.data(), tokens_.size(), [&](u32 key, u64 start) { matches_.add(key, start); });
        cover_.start(tokens_.size());
        ++passage_;
        double sum = 0, best = 0;
        for (u32 k : matches_.sorted()) {
            const Key& key = keys[k];
            u64 start;
            const bool anywhere = options_.overlaps && !key.unigram;
            if (!matches_.place(k, start, [&](u64 at) { return anywhere || cover_.is_free(at, at + key.size); })) continue;
            const double contribution = key.weight * coverage(k);
            cover_.add(start, start + key.size);
            sum += contribution;
            if (!key.unigram) best = std::max(best, key.weight);
            if (out) write(key, start, contribution, *out);
        }
        if (out) out->match_offsets.push_back(i64(out->match_keys.size()));
        return (1 - options_.single_key) * sum + options_.single_key * best;
    }

    // 1 - beta + beta * (share of the key's different tokens that no key before it had), which now have one.
    double coverage(u32 key) {
        const Span<u32> words = automaton_.distinct(key);
        u64 fresh = 0;
        for (u64 i = 0; i < words.size; ++i) {
            fresh += counted_[words[i]] != passage_;
            counted_[words[i]] = passage_;
        }
        return 1 - options_.beta + options_.beta * (double(fresh) / double(words.size));
    }

    static void write(const Key& key, u64 start, double contribution, ScoredQuery& out) {
        out.match_keys.push_back(i64(key.number));
        out.contributions.push_back(contribution);
        out.starts.push_back(i64(start));
        out.ends.push_back(i64(start + key.size));
    }

    const Shards& shards_;
    const ScorerOptions& options_;
    KeyAutomaton automaton_;
    PassageMatches matches_;
    Cover cover_;
    std::vector<i64> rows_, found_, passages_;
    std::vector<u64> places_, begin_;
    std::vector<u32> symbols_;
    std::vector<i32> tokens_;
    std::vector<u64> counted_;  // for each of the keys' tokens, the last passage in which it was counted
    u64 passage_ = 0;           // how many passages of this query were scored
};

}  // namespace fm
