# The jobs of the Ruby side: loaded by the real Sidekiq, and by the scripts that push for us.
require "json"
require "sidekiq"

Sidekiq.logger.level = Logger::WARN

class NoteMatterJob
  include Sidekiq::Worker

  def perform(*things)
    Sidekiq.redis { |redis| redis.rpush("ran in ruby", JSON.generate([jid, *things])) }
  end
end

class BreakThingJob
  include Sidekiq::Worker

  def perform(*)
    raise ArgumentError, "broken in ruby"
  end
end
