// Finds every place of every key in a passage, in one pass over its tokens (Aho and Corasick, Efficient string
// matching, 1975).
#pragma once

#include <algorithm>

#include "flat_map.hpp"
#include "layout.hpp"

namespace fm {

// A key of one query. Keys are numbered by the order in which they are counted in a passage.
struct Key {
    const i64* tokens;
    u64 size;
    double weight;
    u64 occurrences;
    u64 number;  // the caller's
    bool at_start, unigram;
};

class KeyAutomaton {
public:
    static constexpr u32 kNone = FlatMap::kNone;

    // Of keys with the same tokens, place and kind only the first is kept.
    void build(const std::vector<Key>& keys) {
        u64 total = 0;
        for (const Key& key : keys) total += key.size;
        words_.reset(total);
        edges_.reset(total);
        word_count_ = 0;
        nodes_.assign(1, {0, 0, 0, 0, kNone});
        same_.assign(keys.size(), kNone);
        distinct_at_.assign(1, 0);
        distinct_.clear();
        for (u32 k = 0; k < keys.size(); ++k) add(keys, k);
        link();
    }

    u64 words() const { return word_count_; }
    bool keeps(u32 key) const { return distinct_at_[key] < distinct_at_[key + 1]; }

    // The different tokens of a key, as numbers below words().
    Span<u32> distinct(u32 key) const {
        return {distinct_.data() + distinct_at_[key], distinct_at_[key + 1] - distinct_at_[key]};
    }

    // Calls emit(key, start) for every place of every key; a key's places come in order.
    template <class Emit>
    void scan(const std::vector<Key>& keys, const i32* tokens, u64 size, Emit&& emit) const {
        u32 node = 0;
        for (u64 i = 0; i < size; ++i) {
            const u32 word = words_.find(u64(i64(tokens[i])));
            node = word == kNone ? 0 : next(node, word);
            for (u32 at = nodes_[node].key == kNone ? nodes_[node].shorter : node; at; at = nodes_[at].shorter)
                for (u32 k = nodes_[at].key; k != kNone; k = same_[k])
                    if (!keys[k].at_start || keys[k].size == i + 1) emit(k, i + 1 - keys[k].size);
        }
    }

private:
    struct Node {
        u32 parent, word;
        u32 fallback;  // the longest proper suffix that is a node
        u32 shorter;   // the longest proper suffix that is a key, or 0
        u32 key;       // the first key that ends here
    };

    static u64 edge(u32 node, u32 word) { return u64{node} << 32 | word; }

    void add(const std::vector<Key>& keys, u32 number) {
        const Key& key = keys[number];
        const u64 begin = distinct_.size();
        u32 node = 0;
        for (u64 i = 0; i < key.size; ++i) {
            const u32 word = words_.find_or_put(u64(key.tokens[i]), u32(word_count_));
            if (word == word_count_) ++word_count_;
            const u32 child = edges_.find_or_put(edge(node, word), u32(nodes_.size()));
            if (child == nodes_.size()) nodes_.push_back({node, word, 0, 0, kNone});
            node = child;
            distinct_.push_back(word);
        }
        if (is_repeated(keys, node, key)) {
            distinct_.resize(begin);
        } else {
            same_[number] = nodes_[node].key;
            nodes_[node].key = number;
            std::sort(distinct_.begin() + i64(begin), distinct_.end());
            distinct_.erase(std::unique(distinct_.begin() + i64(begin), distinct_.end()), distinct_.end());
        }
        distinct_at_.push_back(distinct_.size());
    }

    bool is_repeated(const std::vector<Key>& keys, u32 node, const Key& key) const {
        for (u32 k = nodes_[node].key; k != kNone; k = same_[k])
            if (keys[k].at_start == key.at_start && keys[k].unigram == key.unigram) return true;
        return false;
    }

    u32 next(u32 node, u32 word) const {
        while (true) {
            const u32 child = edges_.find(edge(node, word));
            if (child != kNone) return child;
            if (node == 0) return 0;
            node = nodes_[node].fallback;
        }
    }

    // Fallbacks lead to shallower nodes: nodes are linked in order of depth.
    void link() {
        std::vector<u32> depth(nodes_.size(), 0), order(nodes_.size());
        for (u32 n = 1; n < nodes_.size(); ++n) depth[n] = depth[nodes_[n].parent] + 1;
        for (u32 n = 0; n < nodes_.size(); ++n) order[n] = n;
        std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return depth[a] < depth[b]; });
        for (u64 i = 1; i < order.size(); ++i) {
            Node& node = nodes_[order[i]];
            node.fallback = node.parent == 0 ? 0 : next(nodes_[node.parent].fallback, node.word);
            const Node& below = nodes_[node.fallback];
            node.shorter = below.key == kNone ? below.shorter : node.fallback;
        }
    }

    FlatMap words_, edges_;
    u64 word_count_ = 0;
    std::vector<Node> nodes_;
    std::vector<u32> same_, distinct_;
    std::vector<u64> distinct_at_;
};

}  // namespace fm
