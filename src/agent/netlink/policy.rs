//! What the kernel takes in which command: the answer to CTRL_CMD_GETPOLICY (linux/netlink.h, `enum netlink_policy_type_attr`).
//!
//! Strict validation makes an unknown attribute fatal, and attribute numbers of trees that are not merged collide, so a number
//! is only known together with its type.

use std::collections::BTreeMap;

use super::{
    HANDSHAKE_A_DONE_REMOTE_AUTH, HANDSHAKE_A_DONE_SOCKFD, HANDSHAKE_A_DONE_STATUS, HANDSHAKE_CMD_DONE,
    codec::{Attribute, Malformed},
};

const CTRL_ATTR_POLICY: u16 = 8;
const CTRL_ATTR_OP_POLICY: u16 = 9;
const CTRL_ATTR_POLICY_DO: u16 = 1;
const NL_POLICY_TYPE_ATTR_TYPE: u16 = 1;

/// The attributes that each command takes, with their types (`enum netlink_attribute_type`).
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Policy {
    /// command -> index of its policy
    commands: BTreeMap<u16, u32>,
    /// (index, attribute) -> type
    types: BTreeMap<(u32, u16), u32>,
}

impl Policy {
    /// `NL_ATTR_TYPE_U32`
    const U32: u32 = 4;
    /// `NL_ATTR_TYPE_S32`
    const S32: u32 = 8;

    pub(super) fn read<'a>(messages: impl Iterator<Item = &'a [Attribute]>) -> Result<Self, Malformed> {
        let mut policy = Self::default();
        for attribute in messages.flatten() {
            match attribute.number {
                CTRL_ATTR_OP_POLICY => policy.read_commands(&attribute.nested()?)?,
                CTRL_ATTR_POLICY => policy.read_types(&attribute.nested()?)?,
                _ => {}
            }
        }
        Ok(policy)
    }

    fn read_commands(&mut self, commands: &[Attribute]) -> Result<(), Malformed> {
        for command in commands {
            for policy in command.nested()?.iter().filter(|a| a.number == CTRL_ATTR_POLICY_DO) {
                self.commands.insert(command.number, policy.as_u32()?);
            }
        }
        Ok(())
    }

    fn read_types(&mut self, policies: &[Attribute]) -> Result<(), Malformed> {
        for policy in policies {
            for attribute in policy.nested()? {
                for property in attribute.nested()?.iter().filter(|p| p.number == NL_POLICY_TYPE_ATTR_TYPE) {
                    self.types.insert((policy.number.into(), attribute.number), property.as_u32()?);
                }
            }
        }
        Ok(())
    }

    /// Whether DONE takes what we send with it: status, socket and who the peer is, in their types.
    pub(in crate::agent) fn takes_results(&self) -> bool {
        // The socket was unsigned before Linux 6.7, of the same four bytes.
        let results: [(u16, &[u32]); 3] = [
            (HANDSHAKE_A_DONE_STATUS, &[Self::U32]),
            (HANDSHAKE_A_DONE_SOCKFD, &[Self::S32, Self::U32]),
            (HANDSHAKE_A_DONE_REMOTE_AUTH, &[Self::U32]),
        ];
        let kind = |attribute| self.attribute_type(HANDSHAKE_CMD_DONE, attribute);
        results
            .into_iter()
            .all(|(attribute, kinds)| kind(attribute).is_some_and(|kind| kinds.contains(&kind)))
    }

    /// The type of an attribute in a command, if the kernel takes it there.
    fn attribute_type(&self, command: u8, attribute: u16) -> Option<u32> {
        let index = self.commands.get(&command.into())?;
        self.types.get(&(*index, attribute)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(number: u16, inner: &[Attribute]) -> Attribute {
        let mut payload = Vec::new();
        for attribute in inner {
            let length = u16::try_from(attribute.payload.len() + 4).unwrap();
            payload.extend([length.to_ne_bytes(), attribute.number.to_ne_bytes()].concat());
            payload.extend(&attribute.payload);
            payload.resize(payload.len().next_multiple_of(4), 0);
        }
        Attribute { number, payload }
    }

    #[test]
    fn a_command_leads_to_the_types_of_its_attributes() {
        let done = nest(CTRL_ATTR_OP_POLICY, &[nest(3, &[Attribute::u32(CTRL_ATTR_POLICY_DO, 1)])]);
        let status =
            nest(1, &[Attribute::u32(NL_POLICY_TYPE_ATTR_TYPE, Policy::U32), Attribute::u32(5, 4095)]);
        let socket = nest(2, &[Attribute::u32(NL_POLICY_TYPE_ATTR_TYPE, Policy::S32)]);
        let messages = [
            vec![done],
            vec![nest(CTRL_ATTR_POLICY, &[nest(1, &[status])])],
            vec![nest(CTRL_ATTR_POLICY, &[nest(1, &[socket])])],
        ];
        let policy = Policy::read(messages.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(policy.attribute_type(3, 1), Some(Policy::U32));
        assert_eq!(policy.attribute_type(3, 2), Some(Policy::S32));
        assert_eq!(policy.attribute_type(3, 4), None, "TAG or SESSION_ID of other trees");
        assert_eq!(policy.attribute_type(2, 1), None);
    }
}
