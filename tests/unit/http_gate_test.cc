// Who is let in over HTTP, by the head of a request alone.

#include <gtest/gtest.h>

#include "http/gate.h"
#include "http/listen.h"
#include "http/metrics.h"
#include "nlohmann/json.hpp"

namespace juggler::http {
namespace {

Request head(const std::string& method, const std::string& path, Fields headers = {}) {
  Request request;
  request.method = method;
  request.path = path;
  request.headers = std::move(headers);
  request.headers.emplace("host", "127.0.0.1:8000");
  return request;
}

int status_of(const std::variant<Admitted, Reply>& admitted) {
  return std::holds_alternative<Reply>(admitted) ? std::get<Reply>(admitted).status : 200;
}

TokenTable table(const std::string& text) {
  const Result<TokenTable> parsed = TokenTable::parse(text);
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().message);
  return parsed.value_or(TokenTable());
}

TEST(HttpRoutes, NamesInPaths_AreRead) {
  const auto route = find_route("POST", "/v2/models/resnet50-fp32/infer");
  ASSERT_TRUE(std::holds_alternative<Route>(route));
  EXPECT_EQ(std::get<Route>(route).asks, Asks::Infer);
  EXPECT_EQ(std::get<Route>(route).name, "resnet50-fp32");
  const auto task = find_route("GET", "/v1/tasks/42");
  ASSERT_TRUE(std::holds_alternative<Route>(task));
  EXPECT_EQ(std::get<Route>(task).name, "42");
}

TEST(HttpRoutes, TheOneVersion_MayBeNamed) {
  for (const auto& [path, asks] :
       std::map<std::string, Asks>{{"/v2/models/a/versions/1", Asks::Model},
                                   {"/v2/models/a/versions/1/ready", Asks::ModelReady}}) {
    const auto route = find_route("GET", path);
    ASSERT_TRUE(std::holds_alternative<Route>(route)) << path;
    EXPECT_EQ(std::get<Route>(route).asks, asks) << path;
    EXPECT_EQ(std::get<Route>(route).name, "a") << path;
  }
  for (const char* path :
       {"/v2/models/a/versions/2", "/v2/models/a/versions/12/ready", "/v1/tasks/versions/1/x"}) {
    EXPECT_TRUE(std::holds_alternative<Reply>(find_route("GET", path))) << path;
  }
}

TEST(HttpRoutes, OtherPathsAndMethods_AreToldApart) {
  for (const char* path : {"", "v2", "/v3", "/v2/models/", "/v2/models//infer", "/v1/tasks/a/b",
                           "/v2/models/a/b/infer", "/v1/tasks/", "/../v2"}) {
    const auto route = find_route("GET", path);
    ASSERT_TRUE(std::holds_alternative<Reply>(route)) << path;
    EXPECT_EQ(std::get<Reply>(route).status, 404) << path;
  }
  const auto wrong = find_route("DELETE", "/v1/classify");
  ASSERT_TRUE(std::holds_alternative<Reply>(wrong));
  EXPECT_EQ(std::get<Reply>(wrong).status, 405);
  EXPECT_EQ(std::get<Reply>(wrong).headers.at(0).second, "POST");
  EXPECT_EQ(status_of(Gate(std::nullopt).admit(head("OPTIONS", "/v1/classify"))), 405)
      << "no page of another site may ask whether it may";
}

TEST(HttpGate, WithoutTokens_OnlyNamesOfTheLoopbackAreServed) {
  Gate gate(std::nullopt);
  for (const char* host : {"localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"}) {
    EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"host", host}}))), 200) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8000", "127.0.0.1.evil.example", "",
                           "localhost.evil.example", "[::2]", "192.168.0.7:8000"}) {
    EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"host", host}}))), 403) << host;
  }
}

TEST(HttpGate, WithoutTokens_PagesOfOtherSitesAreNotServed) {
  Gate gate(std::nullopt);
  EXPECT_EQ(
      status_of(gate.admit(head("POST", "/v1/classify", {{"origin", "http://evil.example"}}))),
      403);
  EXPECT_EQ(status_of(gate.admit(head("POST", "/v1/classify", {{"origin", "null"}}))), 403);
  EXPECT_EQ(
      status_of(gate.admit(head("POST", "/v1/classify", {{"origin", "http://127.0.0.1:8000"}}))),
      200);
}

TEST(HttpGate, Token_NamesItsHolder) {
  Gate gate(table(token_line("door", "secret") + "\n" + token_line("office", "other") + "\n"));
  const auto admitted = gate.admit(head("GET", "/v1/status", {{"authorization", "bearer other"}}));
  ASSERT_TRUE(std::holds_alternative<Admitted>(admitted));
  EXPECT_EQ(std::get<Admitted>(admitted).who, "office");
}

TEST(HttpGate, WrongToken_IsCountedAndSlow) {
  Gate gate(table(token_line("door", "secret")));
  const auto wrong = gate.admit(head("GET", "/v1/status", {{"authorization", "Bearer guess"}}));
  ASSERT_EQ(status_of(wrong), 401);
  EXPECT_TRUE(std::get<Reply>(wrong).slow);
  EXPECT_EQ(gate.wrong_tokens(), 1U);
  EXPECT_EQ(std::get<Reply>(wrong).body.find("guess"), std::string::npos);
  const auto none = gate.admit(head("GET", "/v1/status"));
  ASSERT_EQ(status_of(none), 401);
  EXPECT_FALSE(std::get<Reply>(none).slow);
  EXPECT_EQ(status_of(gate.admit(head("GET", "/nowhere"))), 401) << "no path is told before";
  EXPECT_EQ(status_of(gate.admit(head("GET", "/v2/health/live"))), 200);
}

TEST(HttpGate, ReplacedTokens_CountFromThenOn) {
  Gate gate(table(token_line("door", "old")));
  gate.replace(table(token_line("door", "new")));
  EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"authorization", "Bearer old"}}))),
            401);
  EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"authorization", "Bearer new"}}))),
            200);
}

TEST(HttpGate, BodiesAreMeasuredBeforeTheyAreRead) {
  Gate gate(std::nullopt);
  const auto status = [&gate](const std::string& path, const char* length) {
    return status_of(gate.admit(head("POST", path, {{"content-length", length}})));
  };
  EXPECT_EQ(status("/v1/classify", "8388608"), 200);
  EXPECT_EQ(status("/v1/classify", "8388609"), 413);
  EXPECT_EQ(status("/v2/models/auto/infer", "11184812"), 200) << "8 MiB in base64";
  EXPECT_EQ(status("/v2/models/auto/infer", "12000000"), 413);
  EXPECT_EQ(status("/v1/classify", "99999999999999999999999"), 413);
  EXPECT_EQ(status("/v1/classify", "-1"), 400);
  EXPECT_EQ(status("/v1/classify", "1x"), 400);
  EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"content-length", "1"}}))), 413);
  EXPECT_EQ(status_of(gate.admit(head("POST", "/v1/classify", {{"transfer-encoding", "chunked"}}))),
            411);
}

TEST(HttpTokens, File_HasANameAndADigestALine) {
  const TokenTable tokens = table("# who may ask\r\n\n" + token_line("a", "one") + "\r\n" +
                                  token_line("a", "two") + "\n" + token_line("b-2", "three"));
  EXPECT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens.owner("one"), "a");
  EXPECT_EQ(tokens.owner("two"), "a");
  EXPECT_EQ(tokens.owner("three"), "b-2");
  for (const std::string& wrong :
       {std::string(), std::string("on"), std::string("one "), std::string(1'000'000, 'x')}) {
    EXPECT_FALSE(tokens.owner(wrong).has_value());
  }
}

TEST(HttpTokens, FileThatSaysSomethingElse_IsRefusedWithoutRepeatingIt) {
  const std::string digest(64, 'a');
  for (const std::string& text :
       {std::string("secret-in-the-clear\n"), "a:" + std::string(63, 'a'), "A:" + digest,
        ":" + digest, "local:" + digest, "a:" + std::string(64, 'G'), "a " + digest,
        std::string(33, 'a') + ":" + digest}) {
    const Result<TokenTable> parsed = TokenTable::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().message.find("in-the-clear"), std::string::npos);
  }
}

TEST(HttpTokens, FileWithoutAny_LetsNobodyIn) {
  for (const char* text : {"", "# none\n"}) {
    Gate gate(table(text));
    EXPECT_EQ(status_of(gate.admit(head("GET", "/v1/status", {{"authorization", "Bearer x"}}))),
              401);
  }
}

TEST(HttpListen, Addresses) {
  const auto loopback = [](const char* text) {
    const Result<ListenAddress> address = ListenAddress::parse(text);
    return address.has_value() && address->loopback;
  };
  EXPECT_TRUE(loopback("127.0.0.1:8000"));
  EXPECT_TRUE(loopback("127.8.8.8:0"));
  EXPECT_TRUE(loopback("localhost:8000"));
  EXPECT_TRUE(loopback("[::1]:8000"));
  EXPECT_FALSE(loopback("0.0.0.0:8000"));
  EXPECT_FALSE(loopback("[::]:8000"));
  EXPECT_FALSE(loopback("192.168.0.7:8000"));
  EXPECT_FALSE(loopback("[::ffff:127.0.0.1]:8000")) << "not taken for the loopback: it is safe";
  for (const char* text : {"", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:-1", "host.example:80", "[::1:80", "127.1:80x"}) {
    EXPECT_FALSE(ListenAddress::parse(text).has_value()) << text;
  }
}

TEST(HttpMetrics, Text_IsOfPrometheusAndEscaped) {
  const auto status =
      nlohmann::json::parse(R"({"version":"1\n\"2\"","policy":"juggler","completed":7,"live":2})");
  const auto devices = nlohmann::json::parse(
      R"({"devices":[{"id":"pi","board":"b","state":"live","twin":true,"memory_bytes":5,
          "processors":[{"id":"cpu0","in_flight":1,"waiting":0,"completed":3}]},
          {"id":"old","state":"lost"}, 3]})");
  FrontCounts counts;
  counts.replies[200] = 4;
  counts.wrong_tokens = 1;
  const std::string text = metrics_text(status, devices, counts);
  for (const char* line :
       {"juggler_info{version=\"1\\n\\\"2\\\"\",policy=\"juggler\"} 1\n",
        "# TYPE juggler_tasks_completed_total counter\njuggler_tasks_completed_total 7\n",
        "juggler_device_up{device=\"pi\",board=\"b\",twin=\"true\"} 1\n",
        "juggler_device_up{device=\"old\",board=\"\",twin=\"false\"} 0\n",
        "juggler_processor_tasks_completed_total{device=\"pi\",processor=\"cpu0\"} 3\n",
        "juggler_http_replies_total{status=\"200\"} 4\n", "juggler_http_wrong_tokens_total 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  EXPECT_EQ(text.find("juggler_tasks_failed_total "), text.find("juggler_tasks_failed_total Tasks"))
      << "what the controller did not say has no sample";
}

}  // namespace
}  // namespace juggler::http
