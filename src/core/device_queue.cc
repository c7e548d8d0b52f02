#include "core/device_queue.h"

#include <algorithm>

#include "core/profile_point.h"

namespace juggler {
namespace {

// Batches are numbered by each leader anew.
bool same_batch(const Dispatch& a, const Dispatch& b) {
  return a.batch_size > 1 && a.batch == b.batch && a.attempt.epoch == b.attempt.epoch;
}

Micros predicted(const Processor& processor, const std::string& variant, std::size_t tasks) {
  for (const Profile& profile : processor.profiles) {
    if (profile.variant == variant) {
      return point_at(profile, static_cast<int>(tasks)).latency_p95;
    }
  }
  return Micros{0};
}

Time earliest_end(const std::vector<Job>& jobs) {
  Time earliest = Time::never();
  for (const Job& job : jobs) {
    earliest = std::min(earliest, job.expires);
  }
  return earliest;
}

}  // namespace

void DeviceQueue::add(Job job) {
  size_ += 1;
  const auto at = std::find_if(batches_.begin(), batches_.end(), [&](const Batch& batch) {
    return batch.missing > 0 && same_batch(batch.jobs.front().dispatch, job.dispatch);
  });
  if (at != batches_.end() && !job.redelivered) {
    at->jobs.push_back(std::move(job));
    at->missing -= 1;
    return;
  }
  Batch fresh;
  fresh.missing = job.redelivered ? 0 : job.dispatch.batch_size - 1;
  fresh.jobs.push_back(std::move(job));
  batches_.push_back(std::move(fresh));
}

Job* DeviceQueue::find(const AttemptId& attempt) {
  for (Batch& batch : batches_) {
    for (Job& job : batch.jobs) {
      if (job.dispatch.attempt == attempt) {
        return &job;
      }
    }
  }
  return nullptr;
}

void DeviceQueue::lose_deliveries() {
  for (Batch& batch : batches_) {
    batch.missing = 0;  // the rest comes again, each by itself, if at all
    for (Job& job : batch.jobs) {
      job.delivery.reset();
    }
  }
}

void DeviceQueue::erase_empty() {
  std::erase_if(batches_, [](const Batch& batch) { return batch.jobs.empty(); });
}

template <class Stays>
std::vector<Job> DeviceQueue::take_if_not(Stays stays) {
  std::vector<Job> taken;
  for (Batch& batch : batches_) {
    const auto left = std::stable_partition(batch.jobs.begin(), batch.jobs.end(), stays);
    std::move(left, batch.jobs.end(), std::back_inserter(taken));
    batch.jobs.erase(left, batch.jobs.end());
  }
  erase_empty();
  size_ -= taken.size();
  return taken;
}

std::vector<Job> DeviceQueue::take_expired(Time now) {
  return take_if_not([&](const Job& job) { return job.expires > now; });
}

std::vector<Job> DeviceQueue::take_variant(const std::string& variant) {
  return take_if_not([&](const Job& job) { return job.dispatch.variant != variant; });
}

// Now, or, while a part has not arrived, when it would miss its deadline by waiting longer.
Time DeviceQueue::ready_at(const Batch& batch, const Processor& processor,
                           Micros gather_max) const {
  if (batch.missing <= 0) {
    return Time{};
  }
  const Job& first = batch.jobs.front();
  const std::size_t all = batch.jobs.size() + static_cast<std::size_t>(batch.missing);
  return std::min(first.received + gather_max,
                  earliest_end(batch.jobs) - predicted(processor, first.dispatch.variant, all));
}

Time DeviceQueue::next_ready(const Processor& processor, Micros gather_max) const {
  Time next = Time::never();
  for (const Batch& batch : batches_) {
    next = std::min(next, ready_at(batch, processor, gather_max));
  }
  return next;
}

std::vector<Job> DeviceQueue::take(const Processor& processor, Time now, Micros gather_max) {
  std::vector<Job> taken;
  Time earliest = Time::never();
  const auto most = static_cast<std::size_t>(std::max(processor.batch_max, 1));
  for (Batch& batch : batches_) {
    if (ready_at(batch, processor, gather_max) > now) {
      continue;
    }
    std::vector<Job>& jobs = batch.jobs;
    if (taken.empty()) {
      // A batch of more than the processor takes can only be a controller's mistake: in parts.
      const auto part = static_cast<std::ptrdiff_t>(std::min(jobs.size(), most));
      std::move(jobs.begin(), jobs.begin() + part, std::back_inserter(taken));
      jobs.erase(jobs.begin(), jobs.begin() + part);
      batch.missing = 0;
      earliest = earliest_end(taken);
      continue;
    }
    const std::size_t together = taken.size() + jobs.size();
    const std::string& variant = taken.front().dispatch.variant;
    const Time limit = std::min(earliest, earliest_end(jobs));
    if (together > most || jobs.front().dispatch.variant != variant ||
        now + predicted(processor, variant, together) > limit) {
      continue;
    }
    earliest = limit;
    std::move(jobs.begin(), jobs.end(), std::back_inserter(taken));
    jobs.clear();
  }
  erase_empty();
  size_ -= taken.size();
  return taken;
}

}  // namespace juggler
