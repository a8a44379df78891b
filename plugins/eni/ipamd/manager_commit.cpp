// The manager's checkpoint: what waits for the disk.
#include <ipamd/manager.hpp>
#include <cnix/eni/checkpoint.hpp>

#include <algorithm>
#include <stdexcept>

namespace cnix::ipamd {

namespace {
std::string text_of(eni::assignment const& of) {
    std::string all;
    for (eni::holding const& part : of.holdings)
        for (net::address const& address : part.addresses)
            all.append(all.empty() ? "" : ", ").append(address.text());
    return all;
}
} // namespace

std::optional<commit> manager::begin_commit(time_point now) {
    observe(now);
    if (writing_ || (gathering_.empty() && gathering_.cards.empty())) return std::nullopt;
    if (gathering_.empty() && next_write_ && now < *next_write_) return std::nullopt;
    commit made{++last_ticket_, {}};
    // Files of further cards first: what a start found in the first card's file, because its ENI was not known, moves to
    // that of its ENI, and who is killed between the two has it twice rather than not at all.
    for (auto card = gathering_.cards.rbegin(); card != gathering_.cards.rend(); ++card) {
        bool const is_all = written_cards_.size() <= 1 && cards().size() == 1;
        made.cards.emplace_back(*card,
                                eni::checkpoint_text(store_, is_all ? std::nullopt : std::optional{*card}));
    }
    written_cards_.insert(gathering_.cards.begin(), gathering_.cards.end());
    writing_.emplace(made.ticket, std::exchange(gathering_, {}));
    return made;
}

void manager::committed(std::uint64_t ticket, time_point now) {
    observe(now);
    if (!writing_ || writing_->first != ticket) throw std::logic_error{"this commit is not being written"};
    batch written = std::move(writing_->second);
    writing_.reset();
    ++counters_.commits;
    disk_error_.clear();
    next_write_.reset();
    for (unsaved_add& one : written.adds) answer(one);
    for (unsaved_remove& one : written.removes)
        answers_.push_back([done = std::move(one.done), outcome = std::move(one.outcome)] { done(outcome); });
    deliver();
}

void manager::failed(std::uint64_t ticket, std::string const& why, time_point now) {
    observe(now);
    if (!writing_ || writing_->first != ticket) throw std::logic_error{"this commit is not being written"};
    ++counters_.commits_failed;
    disk_error_ = why;
    next_write_ = now + round;
    // What is in memory and on the disk differs now, whatever the disk has.
    gathering_.cards.insert(writing_->second.cards.begin(), writing_->second.cards.end());
    batch unwritten = std::move(writing_->second);
    writing_.reset();
    for (unsaved_add& one : unwritten.adds) {
        if (one.fresh) store_.take_back(one.given, one.before);
        refuse(one.request, one.done, refusal::unsaved,
               "the checkpoint could not be written, so no address was assigned: " + why);
    }
    for (unsaved_remove& one : unwritten.removes) {
        ++counters_.removes_unsaved;
        one.outcome.unsaved = why;
        answers_.push_back([done = std::move(one.done), outcome = std::move(one.outcome)] { done(outcome); });
    }
    serve(now);
    deliver();
}

std::vector<manager::batch*> manager::batches() {
    std::vector<batch*> all{&gathering_};
    if (writing_) all.push_back(&writing_->second);
    return all;
}

void manager::answer(unsaved_add& one) {
    add_outcome outcome;
    outcome.request = one.request;
    outcome.allocations = store_.allocations(one.given);
    if (outcome.allocations.size() != one.given.holdings.size())
        return refuse(one.request, one.done, refusal::lost,
                      "the pod has " + text_of(one.given) +
                          " already, which no ENI of the node shows any more; delete the pod");
    // A writer was killed between two network cards' files, or one of them is lost.
    if (auto const all = std::max(one.given.pod.interfaces, 1);
        one.given.holdings.size() < static_cast<std::size_t>(all))
        return refuse(one.request, one.done, refusal::lost,
                      "the pod has " + text_of(one.given) + " already, but is to have interfaces of " +
                          std::to_string(all) + " network cards; delete the pod");
    for (eni::holding const& part : one.given.holdings) outcome.nics.push_back(*store_.interface(part.eni));
    outcome.assignment = std::move(one.given);
    outcome.fresh = one.fresh;
    outcome.before = std::move(one.before);
    ++counters_.adds_done;
    if (!outcome.fresh) {
        ++counters_.adds_again;
        told_again_.insert(outcome.assignment.key);
    }
    answers_.push_back([done = std::move(one.done), outcome = std::move(outcome)] { done(outcome); });
}

/// Takes back what was never told, unless somebody else waits to be told of it.
void manager::undo(unsaved_add const& one) {
    if (!one.fresh) return;
    for (batch* const in : batches())
        for (unsaved_add& other : in->adds)
            if (other.request != one.request && other.given == one.given) {
                other.fresh = true;
                other.before = one.before;
                return;
            }
    touch(one.given);
    store_.take_back(one.given, one.before);
}

/// Refuses adds that wait for the disk, and takes back what they have if it is to be undone.
void manager::refuse_unsaved(std::function<bool(unsaved_add const&)> const& which, bool undone, refusal why,
                             std::string const& text) {
    for (batch* const in : batches()) {
        std::vector<unsaved_add> kept, refused;
        for (unsaved_add& one : in->adds) (which(one) ? refused : kept).push_back(std::move(one));
        in->adds = std::move(kept);
        for (unsaved_add& one : refused) {
            if (undone) undo(one);
            refuse(one.request, one.done, why, text);
        }
    }
}

} // namespace cnix::ipamd
