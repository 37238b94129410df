# Sidekiq's web page, asked within this process: `get(path)`, `post(path, params)`.
require_relative "sidekiq_jobs"
require "rack/mock"
require "sidekiq/web"

WEB = Rack::MockRequest.new(Sidekiq::Web)
TOKEN = SecureRandom.base64(32)

def get(path)
  response = WEB.get(path, "rack.session" => { csrf: TOKEN })
  { "status" => response.status, "body" => response.body }
end

def post(path, params = {})
  params = params.merge("authenticity_token" => TOKEN)
  response = WEB.post(path, params: params, "rack.session" => { csrf: TOKEN })
  { "status" => response.status, "body" => response.body }
end
