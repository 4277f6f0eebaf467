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
        nodes_.assign(1, Node());
        starts_.clear();
        same_.assign(keys.size(), kNone);
        node_.clear();
        distinct_at_.assign(1, 0);
        distinct_.clear();
        for (u32 k = 0; k < keys.size(); ++k) add(keys, k);
        link();
    }

    u64 words() const { return starts_.size(); }
    // The kept n-gram that a key continues by one token, or kNone.
    u32 prefix(const std::vector<Key>& keys, u32 key) const {
        for (u32 k = nodes_[nodes_[node_[key]].parent].key; k != kNone; k = same_[k])
            if (keys[k].at_start == keys[key].at_start && !keys[k].unigram) return k;
        return kNone;
    }

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
        u32 parent = 0, word = 0;
        u32 fallback = 0;   // the longest proper suffix that is a node
        u32 shorter = 0;    // the longest proper suffix that is a key, or 0
        u32 key = kNone;    // the first key that ends here
        bool leaf = true;
    };

    static u64 edge(u32 node, u32 word) { return u64{node} << 32 | word; }

    void add(const std::vector<Key>& keys, u32 number) {
        const Key& key = keys[number];
        const u64 begin = distinct_.size();
        u32 node = 0;
        for (u64 i = 0; i < key.size; ++i) {
            const u32 word = words_.find_or_put(u64(key.tokens[i]), u32(starts_.size()));
            if (word == starts_.size()) starts_.push_back(0);
            node = child(node, word);
            distinct_.push_back(word);
        }
        node_.push_back(node);
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

    u32 child(u32 node, u32 word) {
        const u32 fresh = u32(nodes_.size()), found = edges_.find_or_put(edge(node, word), fresh);
        if (found == fresh) {
            nodes_[node].leaf = false;
            nodes_.emplace_back();
            nodes_.back().parent = node;
            nodes_.back().word = word;
            if (node == 0) starts_[word] = fresh;
        }
        return found;
    }

    bool is_repeated(const std::vector<Key>& keys, u32 node, const Key& key) const {
        for (u32 k = nodes_[node].key; k != kNone; k = same_[k])
            if (keys[k].at_start == key.at_start && keys[k].unigram == key.unigram) return true;
        return false;
    }

    u32 next(u32 node, u32 word) const {
        for (; node != 0; node = nodes_[node].fallback) {
            if (nodes_[node].leaf) continue;
            const u32 found = edges_.find(edge(node, word));
            if (found != kNone) return found;
        }
        return starts_[word];
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
    std::vector<Node> nodes_;     // 0 is the root
    std::vector<u32> starts_;     // the root's child for each word, or 0
    std::vector<u32> node_;       // where each key ends
    std::vector<u32> same_;       // the next key with the same tokens
    std::vector<u32> distinct_;
    std::vector<u64> distinct_at_;
};

}  // namespace fm
