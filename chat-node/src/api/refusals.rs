//! What the requests of this API can be refused for, beside what all can be.

use crate::http::refusals::refusals;

refusals! {
    OfUser: UnknownUser;
    NewLogin: InvalidName;
    DirectOpening: InvalidRecipient UnknownUser;

    NewGroup: InvalidName InvalidContent TooMany;
    InGroup: UnknownGroup;
    GroupRule: UnknownGroup Forbidden;
    GroupChange: UnknownGroup Forbidden InvalidName InvalidContent;
    MemberRead: UnknownGroup UnknownUser;
    MemberChange: UnknownGroup UnknownUser Forbidden TooMany;
    MemberRemoval: UnknownGroup UnknownUser Forbidden;

    NewChannel: UnknownGroup Forbidden InvalidName InvalidContent TooMany;
    InChannel: UnknownChannel;
    ChannelRule: UnknownChannel Forbidden;
    ChannelChange: UnknownChannel Forbidden InvalidName InvalidContent;
    OverridesChange: UnknownChannel Forbidden InvalidContent TooMany;

    Sending: UnknownChannel UnknownMessage Forbidden InvalidContent InvalidNonce SlowMode;
    OfMessage: UnknownChannel UnknownMessage;
    MessageChange: UnknownChannel UnknownMessage Forbidden InvalidContent;
    MessageRule: UnknownChannel UnknownMessage Forbidden;
    Reacting: UnknownChannel UnknownMessage Forbidden TooMany;
    Pinning: UnknownChannel UnknownMessage Forbidden TooMany;
}
