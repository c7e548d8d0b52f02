#include "sim/broker_queue.h"

#include <algorithm>

namespace juggler::sim {
namespace {

std::string_view first_word(std::string_view text) { return text.substr(0, text.find('.')); }

std::string_view after_first_word(std::string_view text) {
  const std::size_t dot = text.find('.');
  return dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
}

const std::string& text_of(const Argument& argument) {
  return std::get<std::string>(argument.value);
}

std::int64_t number_of(const Argument& argument) { return std::get<std::int64_t>(argument.value); }

}  // namespace

bool topic_matches(std::string_view pattern, std::string_view key) {
  if (pattern.empty() || key.empty()) {
    return pattern.empty() ? key.empty() : pattern == "#";
  }
  const std::string_view word = first_word(pattern);
  const std::string_view rest = after_first_word(pattern);
  if (word == "#") {
    return topic_matches(rest, key) || topic_matches(pattern, after_first_word(key));
  }
  return (word == "*" || word == first_word(key)) && topic_matches(rest, after_first_word(key));
}

Queue make_queue(const QueueSpec& spec) {
  Queue queue;
  queue.name = spec.name;
  queue.exists = true;
  queue.durable = !spec.exclusive;
  for (const Argument& argument : spec.arguments) {
    if (argument.key == "x-message-ttl") {
      queue.message_ttl = milliseconds(number_of(argument));
    } else if (argument.key == "x-max-length") {
      queue.length_max = static_cast<std::size_t>(number_of(argument));
    } else if (argument.key == "x-max-length-bytes") {
      queue.bytes_max = static_cast<std::size_t>(number_of(argument));
    } else if (argument.key == "x-overflow") {
      queue.reject_publish = text_of(argument) == "reject-publish";
    } else if (argument.key == "x-single-active-consumer") {
      queue.single_active = std::get<bool>(argument.value);
    } else if (argument.key == "x-dead-letter-exchange") {
      queue.has_dead_letters = true;
      queue.dead_exchange = text_of(argument);
    } else if (argument.key == "x-dead-letter-routing-key") {
      queue.dead_key = text_of(argument);
    }
    // x-queue-type makes no difference here, and no run lasts for an x-expires of days.
  }
  return queue;
}

Exchanges::Exchanges() { exchanges_.emplace("", Exchange{}); }

void Exchanges::declare(const ExchangeSpec& spec) {
  const auto [at, added] = exchanges_.try_emplace(spec.name);
  if (!added) {
    return;
  }
  at->second.type = spec.type == "topic"    ? Type::Topic
                    : spec.type == "fanout" ? Type::Fanout
                                            : Type::Direct;
  for (const Argument& argument : spec.arguments) {
    if (argument.key == "alternate-exchange") {
      at->second.alternate = text_of(argument);
    }
  }
}

void Exchanges::bind(const BindingSpec& binding, QueueIndex queue) {
  bind(binding.exchange, {binding.key, queue, {}});
}

void Exchanges::bind(const ExchangeBindingSpec& binding) {
  bind(binding.source, {binding.key, kNoQueue, binding.destination});
}

void Exchanges::bind(const std::string& source, Binding binding) {
  const auto at = exchanges_.find(source);
  if (at == exchanges_.end()) {
    return;
  }
  std::vector<Binding>& bindings = at->second.bindings;
  const bool there = std::any_of(bindings.begin(), bindings.end(), [&](const Binding& other) {
    return other.key == binding.key && other.queue == binding.queue &&
           other.exchange == binding.exchange;
  });
  if (!there) {
    bindings.push_back(std::move(binding));
    forget_routes();
  }
}

void Exchanges::forget(QueueIndex queue) {
  for (auto& [name, exchange] : exchanges_) {
    std::erase_if(exchange.bindings,
                  [queue](const Binding& binding) { return binding.queue == queue; });
  }
  forget_routes();
}

void Exchanges::remove(const std::string& exchange) {
  exchanges_.erase(exchange);
  for (auto& [name, other] : exchanges_) {
    std::erase_if(other.bindings,
                  [&](const Binding& binding) { return binding.exchange == exchange; });
  }
  forget_routes();
}

void Exchanges::name_queue(const std::string& name, QueueIndex queue) {
  if (queue == kNoQueue) {
    queues_.erase(name);
  } else {
    queues_[name] = {queue};
  }
}

QueueIndex Exchanges::find_queue(const std::string& name) const {
  const auto at = queues_.find(name);
  return at == queues_.end() ? kNoQueue : at->second.front();
}

void Exchanges::forget_routes() {
  for (auto& [name, exchange] : exchanges_) {
    exchange.routes.clear();
  }
}

const std::vector<QueueIndex>& Exchanges::route(const std::string& name, const std::string& key) {
  if (name.empty()) {
    const auto at = queues_.find(key);
    return at == queues_.end() ? none_ : at->second;
  }
  const auto found = exchanges_.find(name);
  if (found == exchanges_.end()) {
    return none_;
  }
  Exchange& exchange = found->second;
  const auto known = exchange.routes.find(key);
  if (known != exchange.routes.end()) {
    return known->second;
  }
  std::vector<QueueIndex> queues;
  const auto add = [&](QueueIndex queue) {
    if (std::find(queues.begin(), queues.end(), queue) == queues.end()) {
      queues.push_back(queue);
    }
  };
  bool bound = false;  // by an exchange as well, whatever that one does with it
  for (const Binding& binding : exchange.bindings) {
    const bool taken = exchange.type == Type::Fanout ||
                       (exchange.type == Type::Direct && binding.key == key) ||
                       (exchange.type == Type::Topic && topic_matches(binding.key, key));
    bound = bound || taken;
    if (taken && binding.queue != kNoQueue) {
      add(binding.queue);
    } else if (taken) {
      for (const QueueIndex queue : route(binding.exchange, key)) {
        add(queue);
      }
    }
  }
  if (!bound && !exchange.alternate.empty()) {
    queues = route(exchange.alternate, key);
  }
  return exchange.routes.emplace(key, std::move(queues)).first->second;
}

}  // namespace juggler::sim
