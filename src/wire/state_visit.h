#pragma once
// How the fields of a checkpoint are written and read: the two visitors of state_access.h. Inside
// src/wire only.
//
// What is zero, false, empty or absent is left out of the text, whatever the default of its field:
// much of most lines is.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/shared.h"
#include "wire/raw_fields.h"
#include "wire/state_fleet.h"
#include "wire/state_tasks.h"

namespace juggler::wire {

// The last value of each enumeration in a checkpoint; they are written as numbers.
constexpr Liveness last_of(Liveness /*type*/) { return Liveness::Aside; }
constexpr Breaker::State last_of(Breaker::State /*type*/) { return Breaker::State::Probed; }
constexpr TaskPhase last_of(TaskPhase /*type*/) { return TaskPhase::Answering; }
constexpr ControllerTimer::Kind last_of(ControllerTimer::Kind /*type*/) {
  return ControllerTimer::Kind::PowerHeld;
}
constexpr OpenPublish::Kind last_of(OpenPublish::Kind /*type*/) { return OpenPublish::Kind::Dead; }
constexpr PayloadKind last_of(PayloadKind /*type*/) { return PayloadKind::Opaque; }
constexpr AttemptStatus last_of(AttemptStatus /*type*/) { return AttemptStatus::Refused; }
constexpr OutcomeKind last_of(OutcomeKind /*type*/) { return OutcomeKind::Failed; }
constexpr Evidence last_of(Evidence /*type*/) { return Evidence::Assumed; }
constexpr PowerScope last_of(PowerScope /*type*/) { return PowerScope::Package; }
constexpr Weights last_of(Weights /*type*/) { return Weights::Synthetic; }

// What kind of field a type is.
template <class T>
inline constexpr bool kIsQuantity = false;
template <class Tag>
inline constexpr bool kIsQuantity<Quantity<Tag>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsShared = false;
template <class T>
inline constexpr bool kIsShared<Shared<T>> = true;
template <class T>
inline constexpr bool kIsPointer = false;
template <class T>
inline constexpr bool kIsPointer<std::shared_ptr<const T>> = true;
template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsList<std::deque<T>> = true;

// One with fields of its own.
template <class T>
inline constexpr bool kIsPart =
    std::is_class_v<T> && !kIsQuantity<T> && !kIsOptional<T> && !kIsShared<T> && !kIsPointer<T> &&
    !kIsList<T> && !std::is_same_v<T, Time> && !std::is_same_v<T, std::string>;

using Numbers = std::vector<std::int64_t>;

// Whether a field is left out.
template <class T>
bool left_out(const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return value == T{};
  } else if constexpr (kIsQuantity<T>) {
    return value.count == 0;
  } else if constexpr (std::is_same_v<T, Time>) {
    return value.us == 0;
  } else if constexpr (kIsOptional<T>) {
    return !value.has_value();
  } else if constexpr (kIsList<T> || std::is_same_v<T, std::string>) {
    return value.empty();
  } else {
    return false;
  }
}

template <class Part, class Visit>
void visit_fields(Part& part, const Visit& visit) {
  if constexpr (requires { StateAccess::each_field(part, visit); }) {
    StateAccess::each_field(part, visit);
  } else {
    each_field(part, visit);
  }
}

// As one text: by names a device's hundreds would be a page.
std::string text_of(const Numbers& numbers);
std::optional<Numbers> numbers_of(std::string_view text);

class PartWriter {
 public:
  explicit PartWriter(JsonWriter& writer) : writer_(writer) {}

  template <class T>
  void operator()(const char* key, const T& value) const {
    if (!left_out(value)) {
      put(key, value);
    }
  }

  void index(const char* key, std::size_t value, std::size_t /*end*/) const { (*this)(key, value); }

  // `each(row, number)` calls number(FIELD) for every number of a row.
  template <class Rows, class Each>
  void table(const char* key, const Rows& rows, Each each) const {
    Numbers numbers;
    for (const auto& row : rows) {
      each(row,
           [&numbers](const auto& field) { numbers.push_back(static_cast<std::int64_t>(field)); });
    }
    if (std::any_of(numbers.begin(), numbers.end(), [](std::int64_t one) { return one != 0; })) {
      writer_.text(key, text_of(numbers));
    }
  }

 private:
  template <class T>
  void put(const char* key, const T& value) const {
    if constexpr (std::is_same_v<T, bool>) {
      writer_.flag(key, value);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      writer_.integer(key, static_cast<std::int64_t>(value));
    } else if constexpr (kIsQuantity<T>) {
      writer_.integer(key, value.count);
    } else if constexpr (std::is_same_v<T, Time>) {
      writer_.integer(key, value.us);
    } else if constexpr (std::is_same_v<T, std::string>) {
      put_bytes(writer_, key, value);
    } else if constexpr (std::is_same_v<T, Numbers>) {
      writer_.text(key, text_of(value));
    } else if constexpr (std::is_same_v<T, std::shared_ptr<const DeviceFacts>>) {
      put_facts(writer_, key, *value);
    } else if constexpr (kIsOptional<T> || kIsShared<T> || kIsPointer<T>) {
      put(key, *value);
    } else if constexpr (kIsList<T>) {
      put_list(key, value);
    } else {
      writer_.begin_object(key);
      visit_fields(value, *this);
      writer_.end_object();
    }
  }

  template <class List>
  void put_list(const char* key, const List& list) const {
    writer_.begin_array(key);
    for (const auto& item : list) {
      writer_.begin_object();
      if constexpr (std::is_same_v<typename List::value_type, std::string>) {
        put("name", item);
      } else {
        visit_fields(item, *this);
      }
      writer_.end_object();
    }
    writer_.end_array();
  }

  JsonWriter& writer_;
};

class PartReader {
 public:
  explicit PartReader(ObjectReader& reader) : reader_(reader) {}

  template <class T>
  void operator()(const char* key, T& value) const {
    if constexpr (kIsPart<T>) {
      fill(key, value);
    } else {
      value = read<T>(key);
    }
  }

  void index(const char* key, std::size_t& value, std::size_t end) const {
    value =
        static_cast<std::size_t>(reader_.integer_or(key, 0, 0, static_cast<std::int64_t>(end) - 1));
  }

  template <class Rows, class Each>
  void table(const char* key, Rows& rows, Each each) const {
    const Numbers numbers = read<Numbers>(key);  // none: all are zero
    std::size_t next = 0;
    bool fits = true;
    for (auto& row : rows) {
      each(row, [&]<class Field>(Field& field) {
        const std::int64_t number = next < numbers.size() ? numbers[next] : 0;
        next += 1;
        field = static_cast<Field>(number);
        fits = fits && static_cast<std::int64_t>(field) == number;
      });
    }
    if (!numbers.empty() && (numbers.size() != next || !fits)) {
      reader_.complain(key, "has other numbers than there are to be");
    }
  }

 private:
  // Longer than any line.
  static constexpr std::size_t kAnySize = std::size_t{1} << 30U;
  // Sums of a few stay whole.
  static constexpr std::int64_t kQuantityMax = std::numeric_limits<std::int64_t>::max() / 1024;

  template <class T>
  T read(const char* key) const {
    if constexpr (std::is_default_constructible_v<T>) {
      if (left_out(T{}) && !has<T>(key)) {
        return T{};
      }
    }
    return get<T>(key);
  }

  template <class T>
  bool has(const char* key) const {
    const bool hex =
        std::is_same_v<T, std::string> && reader_.has((std::string(key) + "_hex").c_str());
    return hex || reader_.has(key);
  }

  template <class Part>
  void fill(const char* key, Part& part) const {
    if (std::optional<ObjectReader> object = reader_.object(key)) {
      visit_fields(part, PartReader(*object));
    } else {
      reader_.complain(key, "is missing or not an object");
    }
  }

  template <class T>
  T get(const char* key) const {
    if constexpr (std::is_same_v<T, bool>) {
      return reader_.boolean_or(key, false);
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(reader_.integer(key, 0, static_cast<std::int64_t>(last_of(T{}))));
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      return get_bits(reader_, key);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(
          reader_.integer(key, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    } else if constexpr (kIsQuantity<T>) {
      return T{reader_.integer(key, -kQuantityMax, kQuantityMax)};
    } else if constexpr (std::is_same_v<T, Time>) {
      return get_time(key);
    } else if constexpr (std::is_same_v<T, std::string>) {
      return get_bytes(reader_, key, kAnySize);
    } else if constexpr (std::is_same_v<T, Numbers>) {
      return get_numbers(key);
    } else if constexpr (std::is_same_v<T, std::shared_ptr<const DeviceFacts>>) {
      return std::make_shared<const DeviceFacts>(get_facts(reader_, key));
    } else if constexpr (kIsOptional<T>) {
      return T(get<typename T::value_type>(key));
    } else if constexpr (kIsShared<T> || kIsPointer<T>) {
      return get_shared(key, static_cast<T*>(nullptr));
    } else if constexpr (kIsList<T>) {
      return get_list<T>(key);
    } else {
      T part{};
      fill(key, part);
      return part;
    }
  }

  Time get_time(const char* key) const {
    const std::int64_t us = reader_.integer(key, -kQuantityMax, Time::never().us);
    if (us > kQuantityMax && us != Time::never().us) {
      reader_.complain(key, "is later than any time but never");
    }
    return Time{us};
  }

  Numbers get_numbers(const char* key) const {
    std::optional<Numbers> numbers = numbers_of(reader_.text(key, kAnySize));
    if (!numbers.has_value()) {
      reader_.complain(key, "is not a list of numbers");
    }
    return std::move(numbers).value_or(Numbers());
  }

  template <class T>
  Shared<T> get_shared(const char* key, Shared<T>* /*type*/) const {
    return Shared<T>(get<T>(key));
  }
  template <class T>
  std::shared_ptr<const T> get_shared(const char* key, std::shared_ptr<const T>* /*type*/) const {
    return std::make_shared<const T>(read<T>(key));
  }

  template <class List>
  List get_list(const char* key) const {
    List list;
    reader_.each(key, kAnySize, [&](ObjectReader& object) {
      const PartReader reader(object);
      if constexpr (std::is_same_v<typename List::value_type, std::string>) {
        list.push_back(reader.get<std::string>("name"));
      } else {
        visit_fields(list.emplace_back(), reader);
      }
    });
    return list;
  }

  ObjectReader& reader_;
};

}  // namespace juggler::wire
