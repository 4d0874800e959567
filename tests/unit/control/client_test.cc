#include "control/client.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "control/async_client.h"
#include "served.h"

namespace control {
namespace {

/// Serves from a thread of its own while a blocking client talks.
class BlockingClient : public Served {
 protected:
  tl::expected<Json, CallError> ask_from_thread(std::string_view method, const Json& parameters,
                                                base::Duration patience) {
    std::optional<tl::expected<Json, CallError>> result;
    std::thread asking([&] {
      auto client = Client::connect(options_.path, patience);
      if (!client)
        result = tl::unexpected(CallError{client.error()});
      else
        result = client->call(method, parameters);
      finished_ = true;
    });
    while (!finished_) loop_.run_once(std::chrono::milliseconds(5));
    asking.join();
    return *result;
  }
  std::atomic<bool> finished_ = false;
};

TEST_F(BlockingClient, GetsItsAnswer) {
  serve();
  server_->handle("PeerByMark", [](const Json& in, Call call) { call.reply({{"saw", in["mark"]}}); });
  const auto answer = ask_from_thread("sameroof.Ike.PeerByMark", {{"mark", 5}}, std::chrono::seconds(5));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ((*answer)["saw"], 5);
}

TEST_F(BlockingClient, AnErrorIsAnErrorByName) {
  serve();
  const auto answer = ask_from_thread("sameroof.Ike.Status", Json::object(), std::chrono::seconds(5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "sameroof.Ike.Status: org.varlink.service.MethodNotImplemented");
  EXPECT_EQ(answer.error().name, "org.varlink.service.MethodNotImplemented");
}

TEST_F(BlockingClient, DoesNotWaitForEver) {
  serve();
  std::vector<Call> held;
  server_->handle("Status", [&](const Json&, Call call) { held.push_back(std::move(call)); });
  const auto answer = ask_from_thread("sameroof.Ike.Status", Json::object(), std::chrono::milliseconds(50));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, options_.path + " does not answer in time");
}

TEST_F(BlockingClient, ADroppedCallIsAnError) {
  serve();
  server_->handle("Status", [](const Json&, Call) {});
  const auto answer = ask_from_thread("sameroof.Ike.Status", Json::object(), std::chrono::seconds(5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, options_.path + " hung up instead of answering");
}

TEST(Client, SaysThatNobodyIsThere) {
  const auto client = Client::connect("/nonexistent/ikd", std::chrono::seconds(1));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().message, "cannot connect to /nonexistent/ikd: No such file or directory");
}

class Following : public Served {
 protected:
  void follow() {
    serve();
    server_->handle("Monitor", [this](const Json&, Call call) { stream_.emplace(std::move(call)); });
    auto client = AsyncClient::connect(loop_, options_.path, [this] { closed_ = true; });
    ASSERT_TRUE(client) << client.error().message;
    client_ = std::move(*client);
  }
  std::optional<Call> stream_;
  std::unique_ptr<AsyncClient> client_;
  bool closed_ = false;
};

TEST_F(Following, EveryReplyArrivesAndThenTheClose) {
  follow();
  std::vector<std::string> events;
  client_->call("sameroof.Ike.Monitor", Json::object(), AsyncClient::Want::more, [&](const Answer& answer) {
    EXPECT_TRUE(answer.continues);
    events.push_back(answer.parameters["event"]);
  });
  turn();
  ASSERT_TRUE(stream_);
  for (const char* event : {"present", "settled", "up"}) stream_->reply_and_continue({{"event", event}});
  turn();
  EXPECT_EQ(events, (std::vector<std::string>{"present", "settled", "up"}));
  EXPECT_FALSE(closed_);
  stream_->reply_and_continue({{"event", "down"}});
  server_.reset();
  turn();
  EXPECT_EQ(events.back(), "down");
  EXPECT_TRUE(closed_);
}

TEST_F(Following, CallsAreAnsweredInOrderAndErrorsByName) {
  follow();
  server_->handle("Status", [](const Json&, Call call) { call.reply({{"pid", 1}}); });
  std::vector<std::string> answers;
  const auto note = [&](const Answer& answer) {
    EXPECT_FALSE(answer.continues);
    answers.push_back(answer.error.empty() ? answer.parameters.dump() : std::string(answer.error));
  };
  client_->call("sameroof.Ike.Status", Json::object(), AsyncClient::Want::one, note);
  client_->call("sameroof.Ike.Monitor", Json::object(), AsyncClient::Want::one, note);
  turn();
  EXPECT_EQ(answers, (std::vector<std::string>{R"({"pid":1})", "org.varlink.service.ExpectedMore"}));
}

TEST_F(Following, MayBeDestroyedFromItsOwnCallback) {
  follow();
  client_->call("sameroof.Ike.Monitor", Json::object(), AsyncClient::Want::more,
                [&](const Answer&) { client_.reset(); });
  turn();
  ASSERT_TRUE(stream_);
  stream_->reply_and_continue({{"event", "present"}});
  stream_->reply_and_continue({{"event", "settled"}});
  turn();
  EXPECT_EQ(client_, nullptr);
  EXPECT_FALSE(closed_);
  EXPECT_FALSE(stream_->alive());
}

}  // namespace
}  // namespace control
