# Sidekiq, Debian's: `ruby with_sidekiq.rb push KIND COUNT`; the worker is `sidekiq -r ./with_sidekiq.rb -c 10`.
require "sidekiq"

Sidekiq.logger.level = ENV["CLOCK_LOG_LEVEL"] == "info" ? Logger::INFO : Logger::WARN

class MarkInstantJob
  include Sidekiq::Worker

  def perform(name)
    Sidekiq.redis { |redis| redis.set("benchmark:#{name}", Time.now.to_f) }
  end
end

class DoNothingJob
  include Sidekiq::Worker

  def perform; end
end

class TakeNapJob
  include Sidekiq::Worker

  def perform
    sleep 0.001
  end
end

class StampWaitJob
  include Sidekiq::Worker

  def perform(pushed)
    Sidekiq.redis { |redis| redis.rpush("benchmark:waits", Time.now.to_f - pushed) }
  end
end

JOBS = { "nothing" => DoNothingJob, "nap" => TakeNapJob, "stamp" => StampWaitJob }.freeze

if ARGV[0] == "push"
  kind, count = ARGV[1], ARGV[2].to_i
  if kind == "stamp"
    count.times do
      StampWaitJob.perform_async(Time.now.to_f)
      sleep 0.005
    end
  else
    MarkInstantJob.perform_async("start")
    count.times.each_slice(1000) { |some| Sidekiq::Client.push_bulk("class" => JOBS[kind], "args" => some.map { [] }) }
    MarkInstantJob.perform_async("end")
  end
end
