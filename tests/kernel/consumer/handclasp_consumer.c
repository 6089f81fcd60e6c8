// SPDX-License-Identifier: GPL-2.0
/*
 * A consumer of the kernel's handshake upcall that passes on whatever a program in user space asks for.
 * For tests only: it checks nothing that the kernel's own functions are there to check.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/key.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <net/handshake.h>

#include "interface.h"

#define LONGEST_NAME 65536

/* An open file. */
struct consumer {
	spinlock_t lock;		/* of both lists */
	struct list_head asked;		/* handshakes whose outcome is not known */
	struct list_head ended;		/* handshakes whose outcome was not read */
	wait_queue_head_t changed;
};

struct handshake {
	struct list_head node;
	struct consumer *consumer;
	struct socket *socket;		/* with a reference */
	struct consumer_outcome outcome;
	const char *name;
};

static void handshake_free(struct handshake *handshake)
{
	sockfd_put(handshake->socket);
	kfree(handshake->name);
	kfree(handshake);
}

/* Called by the agent's DONE. Under the lock to its end: the file may be closed as soon as the handshake is not `asked`. */
static void handshake_done(void *data, int status, key_serial_t peerid)
{
	struct handshake *handshake = data;
	struct consumer *consumer = handshake->consumer;

	spin_lock_bh(&consumer->lock);
	handshake->outcome.status = status;
	handshake->outcome.peerid = peerid;
	list_move_tail(&handshake->node, &consumer->ended);
	wake_up_interruptible(&consumer->changed);
	spin_unlock_bh(&consumer->lock);
}

static int say_hello(const struct consumer_request *request, struct handshake *handshake)
{
	struct tls_handshake_args args = {
		.ta_sock = handshake->socket,
		.ta_done = handshake_done,
		.ta_data = handshake,
		.ta_peername = handshake->name,
		.ta_timeout_ms = request->timeout_ms,
		.ta_keyring = request->keyring,
		.ta_my_cert = request->my_cert,
		.ta_my_privkey = request->my_privkey,
		.ta_num_peerids = request->num_peerids,
	};

	BUILD_BUG_ON(sizeof(args.ta_my_peerids) != sizeof(request->my_peerids));
	memcpy(args.ta_my_peerids, request->my_peerids, sizeof(args.ta_my_peerids));
	switch (request->flow) {
	case CONSUMER_CLIENT_ANON:
		return tls_client_hello_anon(&args, GFP_KERNEL);
	case CONSUMER_CLIENT_X509:
		return tls_client_hello_x509(&args, GFP_KERNEL);
	case CONSUMER_CLIENT_PSK:
		return tls_client_hello_psk(&args, GFP_KERNEL);
	case CONSUMER_SERVER_X509:
		return tls_server_hello_x509(&args, GFP_KERNEL);
	case CONSUMER_SERVER_PSK:
		return tls_server_hello_psk(&args, GFP_KERNEL);
	}
	return -ENOTTY;
}

/* Takes the request in; the name is what follows it. */
static struct handshake *handshake_new(struct consumer *consumer, const struct consumer_request *request,
				       const char __user *name, size_t length)
{
	struct handshake *handshake = kzalloc(sizeof(*handshake), GFP_KERNEL);
	int error = -ENOMEM;

	if (!handshake)
		return ERR_PTR(error);
	handshake->consumer = consumer;
	handshake->outcome.socket = request->socket;
	if (length) {
		handshake->name = strndup_user(name, length);
		if (IS_ERR(handshake->name)) {
			error = PTR_ERR(handshake->name);
			goto free_handshake;
		}
	}
	handshake->socket = sockfd_lookup(request->socket, &error);
	if (!handshake->socket)
		goto free_name;
	return handshake;

free_name:
	kfree(handshake->name);
free_handshake:
	kfree(handshake);
	return ERR_PTR(error);
}

static ssize_t consumer_write(struct file *file, const char __user *buffer, size_t length, loff_t *position)
{
	struct consumer *consumer = file->private_data;
	struct consumer_request request;
	struct handshake *handshake;
	int error;

	if (length < sizeof(request) || length > sizeof(request) + LONGEST_NAME)
		return -EMSGSIZE;
	if (copy_from_user(&request, buffer, sizeof(request)))
		return -EFAULT;
	handshake = handshake_new(consumer, &request, buffer + sizeof(request), length - sizeof(request));
	if (IS_ERR(handshake))
		return PTR_ERR(handshake);
	spin_lock_bh(&consumer->lock);
	list_add_tail(&handshake->node, &consumer->asked);
	spin_unlock_bh(&consumer->lock);
	/* If this succeeds the outcome may have been read, and the handshake freed, before it returns. */
	error = say_hello(&request, handshake);
	if (!error)
		return length;
	spin_lock_bh(&consumer->lock);
	list_del(&handshake->node);
	spin_unlock_bh(&consumer->lock);
	handshake_free(handshake);
	return error;
}

static struct handshake *take_ended(struct consumer *consumer)
{
	struct handshake *handshake;

	spin_lock_bh(&consumer->lock);
	handshake = list_first_entry_or_null(&consumer->ended, struct handshake, node);
	if (handshake)
		list_del(&handshake->node);
	spin_unlock_bh(&consumer->lock);
	return handshake;
}

static ssize_t consumer_read(struct file *file, char __user *buffer, size_t length, loff_t *position)
{
	struct consumer *consumer = file->private_data;
	struct handshake *handshake;
	ssize_t result;

	if (length != sizeof(handshake->outcome))
		return -EMSGSIZE;
	handshake = take_ended(consumer);
	if (!handshake && file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	if (!handshake && wait_event_interruptible(consumer->changed, (handshake = take_ended(consumer))))
		return -ERESTARTSYS;
	result = copy_to_user(buffer, &handshake->outcome, length) ? -EFAULT : length;
	handshake_free(handshake);
	return result;
}

static __poll_t consumer_poll(struct file *file, poll_table *table)
{
	struct consumer *consumer = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &consumer->changed, table);
	spin_lock_bh(&consumer->lock);
	if (!list_empty(&consumer->ended))
		events = EPOLLIN | EPOLLRDNORM;
	spin_unlock_bh(&consumer->lock);
	return events;
}

/* Once cancelled, a handshake is never done: it is ours to free. */
static bool cancel(struct consumer *consumer, struct socket *socket)
{
	struct handshake *each, *cancelled = NULL;

	if (!tls_handshake_cancel(socket->sk))
		return false;
	spin_lock_bh(&consumer->lock);
	list_for_each_entry(each, &consumer->asked, node) {
		if (each->socket == socket) {
			cancelled = each;
			list_del(&each->node);
			break;
		}
	}
	spin_unlock_bh(&consumer->lock);
	if (cancelled)
		handshake_free(cancelled);
	return true;
}

static long consumer_ioctl(struct file *file, unsigned int command, unsigned long descriptor)
{
	struct socket *socket;
	long result = 0;
	int error;

	socket = sockfd_lookup(descriptor, &error);
	if (!socket)
		return error;
	switch (command) {
	case CONSUMER_CANCEL:
		result = cancel(file->private_data, socket);
		break;
	case CONSUMER_CLOSE:
		tls_handshake_close(socket);
		break;
	default:
		result = -ENOTTY;
	}
	sockfd_put(socket);
	return result;
}

static int consumer_open(struct inode *inode, struct file *file)
{
	struct consumer *consumer = kzalloc(sizeof(*consumer), GFP_KERNEL);

	if (!consumer)
		return -ENOMEM;
	spin_lock_init(&consumer->lock);
	INIT_LIST_HEAD(&consumer->asked);
	INIT_LIST_HEAD(&consumer->ended);
	init_waitqueue_head(&consumer->changed);
	file->private_data = consumer;
	return nonseekable_open(inode, file);
}

/* The first handshake that has no outcome, with its socket held for the caller. */
static struct socket *first_asked(struct consumer *consumer)
{
	struct handshake *handshake;
	struct socket *socket = NULL;

	spin_lock_bh(&consumer->lock);
	handshake = list_first_entry_or_null(&consumer->asked, struct handshake, node);
	if (handshake) {
		socket = handshake->socket;
		get_file(socket->file);
	}
	spin_unlock_bh(&consumer->lock);
	return socket;
}

/* Cancels what is left; where that comes too late, DONE is on its way and not far. */
static int consumer_release(struct inode *inode, struct file *file)
{
	struct consumer *consumer = file->private_data;
	struct handshake *handshake;
	struct socket *socket;

	while ((socket = first_asked(consumer))) {
		if (!cancel(consumer, socket))
			cond_resched();
		sockfd_put(socket);
	}
	while ((handshake = take_ended(consumer)))
		handshake_free(handshake);
	kfree(consumer);
	return 0;
}

/*
 * What no consumer can do: refuse the agents' DONE. Parameter refuse_done: with which errno, and how many of the next ones.
 */
static int refuse_done[2];
module_param_array(refuse_done, int, NULL, 0600);

/* It leaves the register of the result alone. */
static noinline notrace void only_return(void)
{
	asm volatile("");
}

/* Goes on in only_return() instead of the function, and so returns to its caller. */
static int before_done(struct kprobe *probe, struct pt_regs *regs)
{
	if (refuse_done[1] <= 0)
		return 0;
	refuse_done[1]--;
	regs->ax = -refuse_done[0];
	regs->ip = (unsigned long)only_return;
	return 1;
}

/* Lest the probe be optimized: then it could not go on elsewhere. */
static void after_done(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe done_probe = {
	.symbol_name = "handshake_nl_done_doit",
	.pre_handler = before_done,
	.post_handler = after_done,
};

static const struct file_operations consumer_operations = {
	.owner = THIS_MODULE,
	.open = consumer_open,
	.release = consumer_release,
	.read = consumer_read,
	.write = consumer_write,
	.poll = consumer_poll,
	.unlocked_ioctl = consumer_ioctl,
};

static struct miscdevice consumer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "handclasp-consumer",
	.fops = &consumer_operations,
	.mode = 0600,
};

static int __init consumer_init(void)
{
	int error = register_kprobe(&done_probe);

	if (error)
		return error;
	error = misc_register(&consumer_device);
	if (error)
		unregister_kprobe(&done_probe);
	return error;
}
module_init(consumer_init);

static void __exit consumer_exit(void)
{
	misc_deregister(&consumer_device);
	unregister_kprobe(&done_probe);
}
module_exit(consumer_exit);

MODULE_DESCRIPTION("Asks for TLS handshakes as user space says, to test handshake agents");
MODULE_LICENSE("GPL");
